"""Delayed calls that are easily ended all together."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Timers:
    """At most one pending call of each function; none after ``close``, so that nothing is left when its owner stops."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._calls: dict[Callable[[], object], IDelayedCall] = {}
        self._closed = False

    def within(self, delay: float, function: Callable[[], object]) -> None:
        """Call ``function`` after ``delay`` seconds; where a call of it is pending, that one stays as it is."""
        if function not in self._calls and not self._closed:
            self._calls[function] = self._clock.callLater(delay, self._call, function)

    def after(self, delay: float, function: Callable[[], object]) -> None:
        """Call ``function`` after ``delay`` seconds, and not at the time that was set before."""
        self.cancel(function)
        self.within(delay, function)

    def pending(self, function: Callable[[], object]) -> bool:
        """Whether a call of ``function`` is to come."""
        return function in self._calls

    def cancel(self, function: Callable[[], object]) -> None:
        """Take back the pending call of ``function``, if there is one."""
        call = self._calls.pop(function, None)
        if call is not None:
            call.cancel()

    def clear(self) -> None:
        """Take back all calls."""
        for function in list(self._calls):
            self.cancel(function)

    def close(self) -> None:
        """Take back all calls, and make none any more."""
        self._closed = True
        self.clear()

    def _call(self, function: Callable[[], object]) -> None:
        del self._calls[function]
        function()
