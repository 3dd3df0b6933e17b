"""How many connections the web holds, and which one goes when there are too many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from iotcenter.web.peers import LOOPBACK

MAX_CONNECTIONS = 1024
"""The most connections of one door: far over what a small team opens, and room for other requests beside the most event
streams that there may be."""

MAX_PER_SOURCE = 128
"""The most connections of one source: a browser opens six, and an office behind one router some dozens."""


class Connection(Protocol):
    """What of a connection matters here."""

    source: str
    """Where it comes from, as ``source_of`` counts."""

    @property
    def waiting(self) -> bool:
        """Whether no request of it is being answered: it has sent none yet, only a part of one, or is kept for the
        next."""

    def drop(self) -> None:
        """Close it, now. It is given back with ``Connections.remove`` as any other that closes."""


class Connections:
    """The connections of one door, in the order in which they came.

    Where there is no room for a new one, the oldest that waits has to go: so those who send their requests a byte at a
    time lose their places to those who ask for something.
    """

    def __init__(self) -> None:
        self._open: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._open))

    def add(self, new: Connection) -> bool:
        """Take ``new`` in; False where no place could be made for it."""
        if new.source not in LOOPBACK:
            same = [connection for connection in self._open if connection.source == new.source]
            if len(same) >= MAX_PER_SOURCE and not self._make_room(same):
                return False
        if len(self._open) >= MAX_CONNECTIONS and not self._make_room(list(self._open)):
            return False
        self._open[new] = None
        return True

    def remove(self, connection: Connection) -> None:
        """``connection`` is gone."""
        self._open.pop(connection, None)

    def _make_room(self, among: list[Connection]) -> bool:
        for connection in among:
            if connection.waiting:
                self.remove(connection)
                connection.drop()
                return True
        return False
