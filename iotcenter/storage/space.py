"""How full the disk is, while there is still time to do something about it."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.logger import Logger

NEARLY_FULL = 0.9
"""The part of the disk from which on its owner is told: on a card of 32 GB, 3 GB are left then."""


class Space:
    """The disk that ``directory`` is on."""

    _log = Logger()

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._told = False

    def notices(self) -> tuple[str, ...]:
        """What to say of it: nothing, while there is room. It is logged once, until there is room again."""
        try:
            disk = os.statvfs(self._directory)
        except OSError:
            return ()
        usable = disk.f_blocks - disk.f_bfree + disk.f_bavail
        used = 1 - disk.f_bavail / usable if usable else 0.0
        if used < NEARLY_FULL:
            self._told = False
            return ()
        megabytes = disk.f_bavail * disk.f_frsize / 1e6
        notice = f"The disk is {used:.0%} full: {megabytes:.0f} MB are left. Once it is full, nothing can be stored."
        if not self._told:
            self._told = True
            self._log.warn("{notice}", notice=notice)
        return (notice,)
