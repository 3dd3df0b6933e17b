"""How much of the time merging takes while reports come in. No clock of its own, no disk."""

from __future__ import annotations

from iotcenter.storage.inbox import MOST_BACKLOG

LEAST_SHARE = 0.1
"""Share of the time for merging while more comes in than can be merged, and the backlog is small. It grows with the
backlog, to all of it where that is at half of its bound: a burst is acknowledged first and merged later, and goes on
for ever at the rate at which merging keeps up."""

LONGEST_PAUSE = 1.0
"""Seconds between two merges while there is a backlog."""

SHORTEST = 0.001
"""Seconds that count as passed at least: clocks have steps."""


class Pace:
    """Watches what comes into the inbox between one merge and the next. Positions and sizes are in bytes."""

    def __init__(self) -> None:
        self._seen = 0
        self._seen_at = 0.0

    def pause(self, now: float, took: float, merged: int, position: int, end: int) -> float:
        """Seconds until the next merge, now that one took so long for so many bytes and came to ``position``.

        Where little comes in there is no pause: merging is in nobody's way then.
        """
        coming = (end - self._seen) / max(now - self._seen_at, took, SHORTEST)
        self._seen, self._seen_at = end, now
        needed = coming * took / max(merged, 1)
        share = max(LEAST_SHARE, 1.0 - needed) + (end - position) / (MOST_BACKLOG / 2)
        return min(LONGEST_PAUSE, took * (1.0 / min(share, 1.0) - 1.0))
