"""The registrar's open ports, and who is logged in."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.protocols.tls import TLSMemoryBIOFactory

from iotcenter.identity.server_contexts import ServerContexts
from iotcenter.interfaces import House
from iotcenter.listening import OFF, DatagramListener, Listener, datagram_address, endpoint_string
from iotcenter.transports.registrar import RegistrarSettings
from iotcenter.transports.registrar_desk import Desk
from iotcenter.transports.registrar_ports import PacketDatagrams, PacketFactory

PLAIN = "the registrar in clear text over {way} is on: passwords and readings can be read and changed on the way"


class RegistrarService(MultiService):
    """The open ports, and who is logged in."""

    def __init__(self, settings: RegistrarSettings, house: House) -> None:
        super().__init__()
        self._house = house
        self._desk = Desk(house, house.registrations, settings.open)
        self._factories: list[PacketFactory] = []
        self._ways: dict[str, Listener | DatagramListener] = {}
        if settings.listen != OFF:
            self._listen_over_tls(settings.listen)
        if settings.plain_tcp != OFF:
            self._listen_over_tcp(settings.plain_tcp)
        if settings.plain_udp != OFF:
            self._listen_over_udp(settings.plain_udp)

    @property
    def addresses(self) -> dict[str, tuple[str, int]]:
        """Where the ports are open, by what the server's status calls them."""
        names = {"tls": "registrar", "tcp": "registrar-tcp", "udp": "registrar-udp"}
        return {names[way]: listener.address for way, listener in self._ways.items() if listener.address is not None}

    def port(self, way: str) -> int:
        """The number of the port for ``tls``, ``tcp`` or ``udp``."""
        return self._ways[way].port

    def hold(self) -> None:
        """See ``Listener.hold``."""
        for listener in self._ways.values():
            listener.hold()

    def take(self) -> None:
        """See ``Listener.take``."""
        for listener in self._ways.values():
            listener.take()

    def _listen_over_tls(self, listen: str) -> None:
        contexts = ServerContexts(self._house.authority.server_credentials, SSL.TLS1_2_VERSION)
        secured = TLSMemoryBIOFactory(contexts, False, self._packets("tls"), self._house.reactor)
        self._add("tls", Listener(self._house.reactor, endpoint_string(listen), secured, "the registrar over TLS"))

    def _listen_over_tcp(self, listen: str) -> None:
        endpoint = endpoint_string(listen, "127.0.0.1")
        self._add("tcp", Listener(self._house.reactor, endpoint, self._packets("tcp"), "the registrar over TCP"))

    def _listen_over_udp(self, listen: str) -> None:
        address, datagrams = datagram_address(listen, "127.0.0.1"), PacketDatagrams(self._house, self._desk)
        self._add("udp", DatagramListener(self._house.reactor, address, datagrams, "the registrar over UDP"))

    def _packets(self, way: str) -> PacketFactory:
        factory = PacketFactory(self._house, self._desk, way)
        self._factories.append(factory)
        return factory

    def _add(self, way: str, listener: Listener | DatagramListener) -> None:
        self._ways[way] = listener
        self.addService(listener)
        if way != "tls":
            self._house.log.warn(PLAIN, way=way)

    async def _stop(self, closing: Any) -> None:
        await closing
        for factory in self._factories:
            await factory.close()
        self._desk.sessions.end_all("the server is stopping")
        self._desk.log.close()

    def stopService(self) -> Deferred[None]:
        """Close the ports, end every connection, and log everybody off."""
        return Deferred.fromCoroutine(self._stop(maybeDeferred(super().stopService)))
