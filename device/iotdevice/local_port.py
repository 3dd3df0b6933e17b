"""A connection to a port of this machine, as one side of a tunnel."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from iotcenter.wire.joint import Half
from iotdevice.tunnel_side import TunnelSide

CLOSED = "the program on the device closed the connection"


@implementer(IHalfCloseableProtocol)
class LocalPort(TunnelSide):
    """A ``Side``. It reads nothing before it is joined. TCP can end one direction, and so does this."""

    def join(self, half: Half) -> None:
        """Begin."""
        self._half = half
        if self._gone:
            half.lost(CLOSED)
        else:
            self.resume()

    def connectionMade(self) -> None:
        """The program here took the connection."""
        self._transport.setTcpNoDelay(True)
        self._transport.registerProducer(self, True)
        self.pause()

    def dataReceived(self, data: bytes) -> None:
        """The program here said something."""
        if self._half is not None:
            self._half.received(data)

    def readConnectionLost(self) -> None:
        """The program here says no more."""
        if self._half is not None:
            self._half.ended()

    def writeConnectionLost(self) -> None:
        """Our own doing: see ``finish``."""

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        """The connection is gone."""
        self._timers.close()
        self._gone = True
        if self._half is not None:
            self._half.lost(CLOSED)

    def write(self, data: bytes) -> None:
        """See ``Side``."""
        self._transport.write(data)

    def finish(self) -> None:
        """See ``Side``."""
        self._transport.unregisterProducer()
        self._transport.loseWriteConnection()
