"""Two clocks: a steady one that only runs, and the wall's, which jumps when a board without a battery learns what time
it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from twisted.internet.interfaces import IReactorTime

PLAUSIBLE = 978307200.0
"""The year 2001. A wall clock before it was never set: the device then sends ages, not times."""


class Clock:
    """What time it is. A reading keeps the steady time at which it was taken, and learns the wall's when it is sent.

    So one that was taken before the clock was set gets the right time, if the machine did not start anew in between.
    """

    def __init__(self, steady: IReactorTime, wall: Callable[[], float] = time.time) -> None:
        self.steady = steady
        self.wall = wall

    def now(self) -> float:
        """The steady time, in seconds."""
        return self.steady.seconds()

    @property
    def offset(self) -> float:
        """What to add to a steady time to have the wall's, as far as this machine knows."""
        return self.wall() - self.now()

    @property
    def set(self) -> bool:
        """Whether the wall clock can be right."""
        return self.wall() >= PLAUSIBLE

    def stamp(self, at: float) -> float:
        """The steady time ``at`` as the server wants it: Unix seconds, or an age (0 or less) while the wall clock is
        not set."""
        if not self.set:
            return round(min(at - self.now(), 0.0), 3)
        return round(max(at + self.offset, PLAUSIBLE / 2), 3)


def uptime() -> float:
    """Seconds since the machine started, those in which it slept included: what a reactor's time should run on."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def machine_boot() -> str:
    """Which start of the machine this is: steady times of one start can be compared, whichever agent took them."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
