"""Brakes on guessing: how often somebody may try something."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable

from iotcenter.identity.errors import TooManyTries

MINUTE = 60.0

MAX_KEYS = 10_000
"""How many keys are remembered, some 2 MB. The one that tried longest ago makes room, which forgets nobody too early:
nothing that is braked here lets so many through in a minute."""


class Throttle:
    """Lets each key, such as an account or an address, try ``limit`` times in any minute.

    Only tries that were let through count, so that hammering on does not lengthen the wait. A clock that was set back
    frees everybody rather than locking them out until it has caught up.
    """

    def __init__(self, limit: int, seconds: Callable[[], float]) -> None:
        self._limit = limit
        self._seconds = seconds
        self._tries: OrderedDict[str, list[float]] = OrderedDict()
        """The times of each key's latest tries; the key that tried last comes last."""

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._tries)

    def spend(self, key: str) -> int:
        """One try for ``key``; how many it has left now. Raises ``TooManyTries`` where it had none."""
        now = self._seconds()
        tries = [time for time in self._tries.get(key, ()) if 0 <= now - time < MINUTE]
        if len(tries) >= self._limit:
            raise TooManyTries(tries[0] + MINUTE - now)
        self._tries[key] = [*tries, now]
        self._tries.move_to_end(key)
        self._make_room(now)
        return self._limit - len(tries) - 1

    def give_back(self, key: str) -> None:
        """The latest try of ``key`` was no guess: it does not count."""
        tries = self._tries.get(key)
        if tries:
            tries.pop()

    def _make_room(self, now: float) -> None:
        while self._tries:
            key, tries = next(iter(self._tries.items()))
            if len(self._tries) <= MAX_KEYS and tries and 0 <= now - tries[-1] < MINUTE:
                return
            del self._tries[key]


def network_of(address: str) -> str:
    """Whom ``address`` belongs to, as a key: itself for IPv4; for IPv6 its /64, all of which one subscriber has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 6:
        return str(parsed.ipv4_mapped or ipaddress.ip_network((int(parsed), 64), strict=False))
    return str(parsed)
