"""How much of the time merging takes while reports come in. No clock of its own, no disk."""

from __future__ import annotations

from iotcenter.storage.inbox import MOST_BACKLOG

LEAST_SHARE = 0.1
"""Share of the time for merging during a burst, while the backlog is small. It grows with the backlog, to all of it
where that is at half of its bound: a burst is acknowledged first and merged later, and goes on for ever at the rate at
which merging keeps up."""

BURST = 0.5
"""What comes in is a burst where merging would take a larger share of the time to keep up with it."""

LITTLE = 0.25
"""Below this share merging is in nobody's way, and takes what is left."""

AHEAD = 1.25
"""How much more than what comes in is merged, so that a backlog shrinks."""

LONGEST_PAUSE = 1.0
"""Seconds between two merges while there is a backlog."""

SHORTEST = 0.001
"""Seconds that count as passed at least: clocks have steps."""


class Pace:
    """Watches what comes into the inbox between one merge and the next. Positions and sizes are in bytes.

    ``share`` is how much of the time is for merging, and how much of what it does at most it should do at once: who
    waits to be acknowledged waits for a piece of that length now and then.
    """

    def __init__(self) -> None:
        self.share = 1.0
        self._seen = 0
        self._seen_at = 0.0

    def pause(self, now: float, took: float, merged: int, position: int, end: int) -> float:
        """Seconds until the next merge, now that one took so long for so many bytes and came to ``position``.

        Where nothing comes in there is no pause: merging is in nobody's way then.
        """
        coming = (end - self._seen) / max(now - self._seen_at, took, SHORTEST)
        self._seen, self._seen_at = end, now
        needed = coming * took / max(merged, 1)
        self.share = min(1.0, _share(needed) + (end - position) / (MOST_BACKLOG / 2))
        return min(LONGEST_PAUSE, took * (1.0 / self.share - 1.0))


def _share(needed: float) -> float:
    """The share of the time for merging, where so large a share is needed to keep up with what comes in."""
    if needed > BURST:
        return LEAST_SHARE
    return max(1.0 - needed / LITTLE, AHEAD * needed)
