"""A way to a server that can be cut: devices connect to it, and it to the server. It has no backpressure, so it is for
devices that send little."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure


class End(Protocol):
    """One end of a device's way; what comes in here goes out at the ``other``."""

    other: End | None = None

    def dataReceived(self, data: bytes) -> None:
        """Pass it on."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def connectionLost(self, reason: Failure = Failure(ConnectionError())) -> None:  # noqa: B008
        """The other end goes too, when it has said what it still had."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.loseConnection()


class DeviceEnd(End):
    """The end to which a device connected."""

    transport: Any

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def connectionMade(self) -> None:
        """Go on to the server, and read nothing until that is there."""
        self._relay.links.add(self)
        self.transport.pauseProducing()
        self._relay.connect(End()).addCallbacks(self._joined, lambda _: self.transport.abortConnection())

    def connectionLost(self, reason: Failure = Failure(ConnectionError())) -> None:  # noqa: B008
        """Count it no more."""
        self._relay.links.discard(self)
        super().connectionLost(reason)

    def _joined(self, end: End) -> None:
        self.other, end.other = end, self
        self.transport.resumeProducing()


class Relay(Factory):
    """All ways to the server that listens on the port ``server`` of loopback; ``port`` is where devices come."""

    noisy = False

    def __init__(self, reactor: Any, server: int) -> None:
        self.links: set[DeviceEnd] = set()
        self._server = TCP4ClientEndpoint(reactor, "127.0.0.1", server)
        self._port = reactor.listenTCP(0, self, interface="127.0.0.1")
        self.port: int = self._port.getHost().port

    def buildProtocol(self, addr: Any) -> DeviceEnd:
        """A device came."""
        return DeviceEnd(self)

    def connect(self, end: End) -> Any:
        """Fires with ``end``, when it is connected to the server."""
        return connectProtocol(self._server, end)

    def cut(self, chance: Random, most: int) -> int:
        """Cut some ways, without a word to the device; how many they were."""
        links = chance.sample(sorted(self.links, key=id), min(len(self.links), chance.randint(1, most)))
        for link in links:
            link.transport.abortConnection()
        return len(links)

    def close(self) -> Any:
        """Take no more."""
        return self._port.stopListening()
