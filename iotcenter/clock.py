"""What time it is for people and certificates, beside timers that nobody sets.

A wall clock jumps: a board without a battery starts in 1970 and learns the time when it runs already, and an operator
may set it at any time. Twisted's own timers go by the wall. Those of ``twistd iotcenter`` go by ``uptime``, so that a
jump ends no link, and holds no commit up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

RELEASED = 1767225600.0
"""The start of 2026, before which there was no IotCenter: a wall clock that says less was never set."""


def uptime() -> float:
    """Seconds since the machine started, those in which it slept included: what a reactor's time should run on."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """Dates from the wall, timers from the reactor. Fits ``iotcenter.interfaces.Clock``.

    While the wall clock was never set, time goes on from ``last``: when something was last written, in Unix seconds.
    That is early, but certificates and sessions from before hold, as they do once the clock is set.
    """

    def __init__(self, reactor: Any, last: float = RELEASED, wall: Callable[[], float] = time.time) -> None:
        self._reactor = reactor
        self._wall = wall
        self._start = max(last, RELEASED) - reactor.seconds()

    def seconds(self) -> float:
        """The time now, in Unix seconds."""
        wall = self._wall()
        return wall if wall >= RELEASED else self._start + float(self._reactor.seconds())

    def callLater(self, delay: float, callable: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
        """Call after ``delay`` seconds, whatever happens to the wall clock."""
        return self._reactor.callLater(delay, callable, *args, **kwargs)
