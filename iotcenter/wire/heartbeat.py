"""When to ask a silent peer whether it is there, and when to give it up."""

from __future__ import annotations

from enum import Enum

DEFAULT_INTERVAL = 10.0
"""Seconds of silence before a ping. A peer that vanished is given up after 2.5 of them: within 30 s."""

MAX_INTERVAL = 3600.0
"""The longest interval that a device on a metered link may ask for."""

PATIENCE = 2.5
"""How many intervals of silence mean that the peer is gone: one to ask, one to answer, half for slow links."""


class Action(Enum):
    """What to do about a peer now."""

    WAIT = "wait"
    PING = "ping"
    GIVE_UP = "give up"


class Heartbeat:
    """Watches one peer. Both ends of a link run one, so that each finds out by itself.

    The clock is the caller's: call ``heard`` for whatever arrives, and ``check`` when the delay that it returned last
    is over.
    """

    def __init__(self, interval: float, now: float) -> None:
        self.interval = interval
        self._heard = now
        self._pinged = False

    def heard(self, now: float) -> None:
        """Something came from the peer."""
        self._heard = now
        self._pinged = False

    def check(self, now: float) -> tuple[Action, float]:
        """What to do now, and after how many seconds to check again."""
        silence = now - self._heard
        if silence >= self.interval * PATIENCE:
            return Action.GIVE_UP, 0.0
        if silence < self.interval:
            return Action.WAIT, self.interval - silence
        if self._pinged:
            return Action.WAIT, self.interval * PATIENCE - silence
        self._pinged = True
        return Action.PING, self.interval * PATIENCE - silence
