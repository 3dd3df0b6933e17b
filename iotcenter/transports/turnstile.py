"""How many devices may be on their way in at the same time, so that those that are in are served meanwhile.

When thousands return at once, the work of their handshakes takes many seconds. Begun all together, they would all end
late, many too late, and begin anew. Those that wait do so in the kernel's queue, where they cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MOST = 100
"""Handshakes at a time: a tenth of a second of work, for which a link that stands waits at most."""

FEWEST = 50
"""How many are left when others are let in."""

COUNTS_FOR = 0.5
"""Seconds that a handshake counts: one that takes longer is waiting for its peer, and is no work. So those that only
hold on to their places keep nobody out for long."""


class Turnstile:
    """Closes a door while ``MOST`` of those that came through it are on their way, and opens it when few are left."""

    def __init__(self, clock: Any, close: Callable[[], None], open: Callable[[], None]) -> None:
        self._clock = clock
        self._close = close
        self._open = open
        self._entered: dict[object, float] = {}
        self._look: Any = None
        """What looks again, while the door is closed."""

    def enter(self, who: object) -> None:
        """Somebody came in by the door."""
        self._entered[who] = self._clock.seconds()
        if len(self._entered) >= MOST and self._look is None:
            self._close()
            self._look_later()

    def leave(self, who: object) -> None:
        """Somebody has arrived, or is gone. May be called again."""
        self._entered.pop(who, None)
        if self._look is not None and len(self._entered) <= FEWEST:
            self._look.cancel()
            self._reopen()

    def _look_later(self) -> None:
        oldest = next(iter(self._entered.values()))
        delay = max(0.0, oldest + COUNTS_FOR - self._clock.seconds())
        self._look = self._clock.callLater(delay, self._look_around)

    def _look_around(self) -> None:
        """Those that take long count no more."""
        since = self._clock.seconds() - COUNTS_FOR
        self._entered = {who: entered for who, entered in self._entered.items() if entered > since}
        if len(self._entered) <= FEWEST:
            self._reopen()
        else:
            self._look_later()

    def _reopen(self) -> None:
        self._look = None
        self._open()
