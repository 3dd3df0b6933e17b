"""A connection to a port of this machine, as one side of a tunnel."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from iotcenter.wire.joint import Half
from iotdevice.timers import Timers

DRAIN_WITHIN = 60.0
"""Seconds that a program here has to read what was sent to it before the tunnel ended."""


@implementer(IHalfCloseableProtocol, IPushProducer)
class LocalPort(Protocol):
    """A ``Side``. It reads nothing before it is joined. TCP can end one direction, and so does this."""

    def __init__(self, clock: IReactorTime) -> None:
        self._timers = Timers(clock)
        self._half: Half | None = None
        self._lost = ""

    def join(self, half: Half) -> None:
        """Begin."""
        self._half = half
        if self._lost:
            half.lost(self._lost)
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
        self._lost = "the program on the device closed the connection"
        if self._half is not None:
            self._half.lost(self._lost)

    def pauseProducing(self) -> None:
        """The program here does not read."""
        if self._half is not None:
            self._half.full()

    def resumeProducing(self) -> None:
        """The program here reads again."""
        if self._half is not None:
            self._half.drained()

    def stopProducing(self) -> None:
        """The connection goes; ``connectionLost`` follows."""

    def write(self, data: bytes) -> None:
        """See ``Side``."""
        self._transport.write(data)

    def finish(self) -> None:
        """See ``Side``."""
        self._transport.unregisterProducer()
        self._transport.loseWriteConnection()

    def close(self) -> None:
        """See ``Side``."""
        if self._lost:
            return
        self._timers.within(DRAIN_WITHIN, self.abort)
        self._transport.unregisterProducer()
        self._transport.loseConnection()

    def abort(self) -> None:
        """See ``Side``."""
        self._transport.abortConnection()

    def pause(self) -> None:
        """See ``Side``."""
        self._transport.pauseProducing()

    def resume(self) -> None:
        """See ``Side``."""
        self._transport.resumeProducing()

    @property
    def _transport(self) -> Any:
        return self.transport
