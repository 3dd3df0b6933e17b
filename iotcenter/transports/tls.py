"""Devices over TLS: mutual certificates, then messages in frames.

One port for three conversations, told apart by ALPN and the certificate: a device's link, the enrollment of a new
device, and the renewal of a certificate that has expired.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from twisted.application.service import IService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.plugin import IPlugin
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from iotcenter.interfaces import House, ITransport
from iotcenter.listening import Listener, endpoint_string, plain_address
from iotcenter.logs import LogLimit
from iotcenter.transports.conversations import begin
from iotcenter.transports.handshake import Handshakes
from iotcenter.transports.tls_connection import Connection
from iotcenter.wire.heartbeat import DEFAULT_INTERVAL, MAX_INTERVAL
from iotcenter.wire.messages import CloseCode

MAX_STRANGERS = 2000
"""Connections that have not shown who they are: a storm of devices that return fits, and 100 MB are not passed."""

MAX_STRANGERS_EACH = 500
"""The same from one address, behind which a whole site of devices may be."""


class TLSSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[tls]``. ``heartbeat`` is after how many seconds of silence a link is asked whether it still
    stands."""

    listen: str = "9998"
    heartbeat: Annotated[float, Meta(ge=1, le=MAX_INTERVAL)] = DEFAULT_INTERVAL


@implementer(ITransport, IPlugin)
class TLSTransport:
    """The transport for Linux boards."""

    name = "tls"
    settings = TLSSettings

    def makeService(self, settings: Struct, house: House) -> IService:
        """See ``ITransport``."""
        assert isinstance(settings, TLSSettings)
        return TLSService(settings, house)


class TLSService(Listener):
    """The open port, and the connections that came in by it: they end with the service."""

    def __init__(self, settings: TLSSettings, house: House) -> None:
        self._connections = ConnectionFactory(house, settings.heartbeat)
        secured = TLSMemoryBIOFactory(Handshakes(house.authority), False, self._connections, house.reactor)
        super().__init__(house.reactor, endpoint_string(settings.listen), secured, "devices over TLS")

    async def _stop(self, closing: Any) -> None:
        await closing
        await self._connections.close()

    def stopService(self) -> Deferred[None]:
        """Close the port, tell the devices, and wait until all connections are gone."""
        return Deferred.fromCoroutine(self._stop(maybeDeferred(super().stopService)))


class ConnectionFactory(Factory):
    """Makes the server's end of each connection, and bounds those that have not shown who they are."""

    noisy = False

    def __init__(self, house: House, heartbeat: float) -> None:
        self.house = house
        self.heartbeat = heartbeat
        self.log_limit = LogLimit(house.reactor.seconds)
        self._strangers: dict[str, int] = {}
        self._open: set[Connection] = set()
        self._all_gone: Deferred[None] | None = None

    async def close(self) -> None:
        """End every connection; done when the last is gone."""
        for connection in tuple(self._open):
            connection.end(CloseCode.STOPPING, "the server is stopping")
        if self._open:
            self._all_gone = Deferred()
            await self._all_gone

    def buildProtocol(self, addr: IAddress | None) -> Connection | None:
        """A connection for ``addr``; none where too many strangers wait already."""
        host = plain_address(getattr(addr, "host", "local"))
        if sum(self._strangers.values()) >= MAX_STRANGERS or self._strangers.get(host, 0) >= MAX_STRANGERS_EACH:
            self.complain(host, "too many connections have not shown who they are")
            return None
        self._strangers[host] = self._strangers.get(host, 0) + 1
        connection = Connection(self, begin, host, getattr(addr, "port", 0))
        connection.factory = self
        self._open.add(connection)
        return connection

    def gone(self, connection: Connection) -> None:
        """``connection`` is closed."""
        self._open.discard(connection)
        if not self._open and self._all_gone is not None:
            self._all_gone.callback(None)
            self._all_gone = None

    def introduced(self, host: str) -> None:
        """A connection from ``host`` has shown who it is, or is gone."""
        left = self._strangers.get(host, 0) - 1
        if left > 0:
            self._strangers[host] = left
        else:
            self._strangers.pop(host, None)

    def complain(self, address: str, what: str) -> None:
        """Say in the log what was wrong with somebody, as long as the log is not flooded by it."""
        if self.log_limit.allow():
            skipped = self.log_limit.skipped()
            more = f" ({skipped} lines like this were left out)" if skipped else ""
            self.house.log.warn("{address}: {what}{more}", address=address, what=what, more=more)
