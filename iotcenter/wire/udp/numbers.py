"""Numbers for readings that come without: by them they are known within their session."""

from __future__ import annotations

from collections.abc import Callable

SYNTHETIC = 0x80000000
"""Set in the boot number of such readings: devices count theirs from 1."""


class Numbers:
    """One session's: a boot of its own, and sequence numbers from 1. ``random`` gives 0 to 1."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._boot = SYNTHETIC | int(random() * (SYNTHETIC - 1))
        self._given = 0

    def __call__(self, count: int) -> tuple[int, int]:
        """The boot and the first sequence number for so many readings."""
        first, self._given = self._given + 1, self._given + count
        return self._boot, first
