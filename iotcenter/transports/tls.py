"""Devices over TLS: mutual certificates, then messages in frames.

One port for three conversations, told apart by ALPN and the certificate: a device's link, the enrollment of a new
device, and the renewal of a certificate that has expired.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from twisted.application.service import IService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.plugin import IPlugin
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from iotcenter.interfaces import House, ITransport
from iotcenter.listening import Listener, endpoint_string
from iotcenter.transports.conversations import begin
from iotcenter.transports.handshake import Handshakes
from iotcenter.transports.tls_factory import ConnectionFactory
from iotcenter.wire.heartbeat import DEFAULT_INTERVAL, MAX_INTERVAL


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
        self._connections = ConnectionFactory(house, settings.heartbeat, begin, self.hold, self.take)
        secured = TLSMemoryBIOFactory(Handshakes(house.authority), False, self._connections, house.reactor)
        super().__init__(house.reactor, endpoint_string(settings.listen), secured, "devices over TLS")

    async def _stop(self, closing: Any) -> None:
        await closing
        await self._connections.close()

    def stopService(self) -> Deferred[None]:
        """Close the port, tell the devices, and wait until all connections are gone."""
        return Deferred.fromCoroutine(self._stop(maybeDeferred(super().stopService)))
