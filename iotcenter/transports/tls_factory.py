"""All TLS connections of devices: how many may be on their way in, and how they are closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory

from iotcenter.identity.strangers import Strangers
from iotcenter.interfaces import House
from iotcenter.listening import plain_address
from iotcenter.logs import LogLimit
from iotcenter.transports.tls_connection import Begin, Connection
from iotcenter.transports.turnstile import Turnstile
from iotcenter.wire.messages import CloseCode

MAX_STRANGERS = 2000
"""The most connections that have not shown who they are: a storm of devices that return fits, and 100 MB are not
passed."""

MAX_STRANGERS_EACH = 500
"""The same from one source, behind which a whole site of devices may be."""


class ConnectionFactory(Factory):
    """Makes the server's end of each connection, and bounds those that have not shown who they are."""

    noisy = False

    def __init__(
        self,
        house: House,
        heartbeat: float,
        begin: Begin,
        close_door: Callable[[], None] = lambda: None,
        open_door: Callable[[], None] = lambda: None,
    ) -> None:
        """While many are on their way in, the door is closed."""
        self.house = house
        self.heartbeat = heartbeat
        self.log_limit = LogLimit(house.reactor.seconds)
        self._begin = begin
        self.strangers = Strangers(MAX_STRANGERS, MAX_STRANGERS_EACH)
        self._turnstile = Turnstile(house.reactor, close_door, open_door)
        self._open: set[Connection] = set()
        self._all_gone: Deferred[None] | None = None

    async def close(self) -> None:
        """End every connection; done when the last is gone."""
        for connection in tuple(self._open):
            connection.end(CloseCode.STOPPING, "the server is stopping")
        if self._open:
            self._all_gone = Deferred()
            await self._all_gone

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A connection for ``addr``. It is a stranger's, and may have to make way for another."""
        host = plain_address(getattr(addr, "host", "local"))
        connection = Connection(self, self._begin, host, getattr(addr, "port", 0))
        self._open.add(connection)
        self.strangers.add(connection)
        self._turnstile.enter(connection)
        return connection

    def introduced(self, connection: Connection) -> None:
        """``connection`` is no stranger's any more, or it is gone."""
        self.strangers.remove(connection)
        self._turnstile.leave(connection)

    def gone(self, connection: Connection) -> None:
        """``connection`` is closed."""
        self._open.discard(connection)
        if not self._open and self._all_gone is not None:
            self._all_gone.callback(None)
            self._all_gone = None

    def complain(self, address: str, what: str) -> None:
        """Say in the log what was wrong with somebody, as long as the log is not flooded by it."""
        if self.log_limit.allow():
            skipped = self.log_limit.skipped()
            more = f" ({skipped} lines like this were left out)" if skipped else ""
            self.house.log.warn("{address}: {what}{more}", address=address, what=what, more=more)
