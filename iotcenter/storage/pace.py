"""How much of the time merging takes while reports come in. No clock of its own, no disk."""

from __future__ import annotations

from iotcenter.storage.inbox import MOST_BACKLOG

LEAST_SHARE = 0.05
"""Share of the time for merging during a burst: that is acknowledged first and merged later."""

CALM = MOST_BACKLOG * 5 // 8
"""Bytes of the backlog up to which a burst is left alone: ten seconds at the highest rate. From there on merging takes
all the time that it can get, so that what comes in for ever is taken in at the rate at which merging keeps up."""

LITTLE_LEFT = CALM // 8
"""Bytes of the backlog at which that may end, so that there is room for the next burst."""

LULL = 10.0
"""Seconds over which it must be seen then that the burst is over: what goes on for ever would only build up again."""

BURST = 0.5
"""What comes in is a burst where merging would take a larger share of the time to keep up with it."""

LEAST_PIECE = 0.4
"""The smallest piece that is merged at once, of the largest: what each costs besides is shared by more."""

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

    ``share`` is how much of the time is for merging, and ``piece`` how much of what it does at most it should do at
    once: who waits to be acknowledged waits for a piece of that length now and then.
    """

    def __init__(self) -> None:
        self.share = 1.0
        self._catches_up = False
        self._needed_of_late = 0.0
        self._seen = 0
        self._seen_at = 0.0

    def pause(self, now: float, took: float, merged: int, position: int, end: int) -> float:
        """Seconds until the next merge, now that one took so long for so many bytes and came to ``position``.

        Where nothing comes in there is no pause: merging is in nobody's way then.
        """
        elapsed = max(now - self._seen_at, took, SHORTEST)
        needed = (end - self._seen) / elapsed * took / max(merged, 1)
        self._seen, self._seen_at = end, now
        self._needed_of_late += (needed - self._needed_of_late) * min(1.0, elapsed / LULL)
        if end - position > CALM:
            self._catches_up = True
        elif end - position <= LITTLE_LEFT and self._needed_of_late <= BURST:
            self._catches_up = False
        self.share = 1.0 if self._catches_up else min(1.0, _share(needed))
        return min(LONGEST_PAUSE, took * (1.0 / self.share - 1.0))

    @property
    def piece(self) -> float:
        """How much is to be merged at once, of the most."""
        return max(LEAST_PIECE, self.share)


def _share(needed: float) -> float:
    """The share of the time for merging, where so large a share is needed to keep up with what comes in."""
    if needed > BURST:
        return LEAST_SHARE
    return max(1.0 - needed / LITTLE, AHEAD * needed)
