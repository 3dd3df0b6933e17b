"""The connections that have not shown who they are: how many there may be, and which of them makes way."""

from __future__ import annotations

from typing import Protocol

from iotcenter.identity.throttle import network_of


class Stranger(Protocol):
    """What of a connection matters here."""

    host: str
    """Where it comes from."""

    def make_way(self) -> None:
        """End it: another needs its place."""


class Strangers:
    """Where there is no room for a new one, the oldest of the fullest source has to go: there may be ``most`` at once,
    and ``each`` from one source.

    Who means well needs a place for as long as a handshake takes; who only holds on to places is the one that loses
    them.
    """

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._by_source: dict[str, dict[Stranger, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, stranger: Stranger) -> None:
        """Somebody connected."""
        source = self._by_source.setdefault(network_of(stranger.host), {})
        source[stranger] = None
        self._count += 1
        if len(source) > self._each:
            self._make_room(source)
        elif self._count > self._most:
            self._make_room(max(self._by_source.values(), key=len))

    def remove(self, stranger: Stranger) -> None:
        """Somebody has shown who they are, or is gone. May be called again."""
        key = network_of(stranger.host)
        source = self._by_source.get(key, {})
        if stranger in source:
            del source[stranger]
            self._count -= 1
            if not source:
                del self._by_source[key]

    def _make_room(self, source: dict[Stranger, None]) -> None:
        oldest = next(iter(source))
        self.remove(oldest)
        oldest.make_way()
