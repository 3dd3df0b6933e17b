"""The newest readings, in memory: those that are not on disk yet, and some that are, so that they need not be read
again."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter

from iotdevice.window import START, Key, Row

UNSAVED = 10_000
"""How many readings wait in memory where the disk takes none: some 2 MB."""

SAVED = 1_000
"""How many readings that are on disk are held in memory too: those of the next reports."""


class Tail:
    """The end of the row of readings: memory has all that there are after its ``floor``, the disk all up to
    ``saved``."""

    def __init__(self, saved: Key) -> None:
        self.saved = saved
        """The last reading that is on disk."""
        self._floor = saved
        self._forgotten = START
        self._rows: list[Row] = []

    def append(self, row: Row) -> int:
        """Take a new reading; the answer is how many old ones had to be thrown away for it."""
        self._rows.append(row)
        first = self._place(self.saved)
        excess = max(0, len(self._rows) - first - UNSAVED)
        del self._rows[first : first + excess]
        return excess

    def unsaved(self) -> list[Row]:
        """The readings that are not on disk."""
        return self._rows[self._place(self.saved) :]

    def after(self, key: Key, most: int) -> Sequence[Row] | None:
        """The first readings after ``key``; None where they must be read from disk."""
        if key < self._floor:
            return None
        first = self._place(key)
        return self._rows[first : first + most]

    def done_to(self, done: Key) -> None:
        """The server has all up to ``done``."""
        self._drop(self._place(done))

    def stale(self, done: Key) -> bool:
        """Whether the disk still holds readings up to ``done``."""
        return self._forgotten < min(done, self.saved)

    def saved_to(self, last: Key, done: Key, sent: Key, trimmed: Key) -> None:
        """All up to ``last`` is on disk now, but for what is ``done``, and for what was ``trimmed`` away for want of
        room."""
        self.saved = max(self.saved, last)
        self._forgotten = done
        on_its_way = self._place(min(sent, self.saved))
        self._drop(max(on_its_way, self._place(trimmed), self._place(self.saved) - SAVED))

    def disk_lost(self) -> None:
        """Nothing is on disk any more."""
        self.saved = self._floor = self._forgotten = START

    def _drop(self, count: int) -> None:
        if count > 0:
            self._floor = self._rows[count - 1].key
            del self._rows[:count]

    def _place(self, key: Key) -> int:
        return bisect_right(self._rows, key, key=_key)


_key = attrgetter("key")
