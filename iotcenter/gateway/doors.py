"""Ports of this machine that lead to devices, and those who connect to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from iotcenter.listening import CannotOpen
from iotcenter.sockets import keep_alive
from iotcenter.wire.joint import DRAIN_WITHIN, Half


class Door:
    """A port that listens; see ``iotcenter.center.open_ports``."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.host = str(port.getHost().host)
        self.port = int(port.getHost().port)

    def close(self) -> None:
        """Listen no more."""
        self._port.stopListening()


def listen_with(reactor: Any) -> Callable[[str, int, Callable[[Any], None]], Door]:
    """What opens doors. Raises ``CannotOpen``."""

    def listen(host: str, port: int, connected: Callable[[Any], None]) -> Door:
        try:
            return Door(reactor.listenTCP(port, _Callers(reactor, connected), interface=host))
        except CannotListenError as error:
            why = getattr(error.socketError, "strerror", None) or error.socketError
            raise CannotOpen(f"cannot listen on {host}:{port}: {why}") from None

    return listen


class _Callers(Factory):
    noisy = False

    def __init__(self, reactor: Any, connected: Callable[[Any], None]) -> None:
        self._reactor = reactor
        self._connected = connected

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return Caller(self._reactor, self._connected)


@implementer(IHalfCloseableProtocol, IPushProducer)
class Caller(Protocol):
    """Somebody who connected: a ``Side``, which reads nothing before it is joined."""

    def __init__(self, reactor: Any, connected: Callable[[Caller], None]) -> None:
        self.gone: Callable[[], None] = _nothing
        self._reactor = reactor
        self._connected = connected
        self._half: Half | None = None
        self._deadline: Any = None
        self._lost = False

    def join(self, half: Half) -> None:
        """The device is there."""
        self._half = half
        self.resume()

    def connectionMade(self) -> None:
        """Somebody connected."""
        keep_alive(self._tcp)
        self._tcp.setTcpNoDelay(True)
        self._tcp.registerProducer(self, True)
        self.pause()
        self._connected(self)

    def dataReceived(self, data: bytes) -> None:
        """They said something."""
        if self._half is not None:
            self._half.received(data)

    def readConnectionLost(self) -> None:
        """They say no more."""
        if self._half is not None:
            self._half.ended()

    def writeConnectionLost(self) -> None:
        """Our own doing: see ``finish``."""

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        """They are gone."""
        self._lost = True
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        if self._half is not None:
            self._half.lost("whoever was connected to the port left")
        else:
            self.gone()

    def pauseProducing(self) -> None:
        """They do not read."""
        if self._half is not None:
            self._half.full()

    def resumeProducing(self) -> None:
        """They read again."""
        if self._half is not None:
            self._half.drained()

    def stopProducing(self) -> None:
        """The connection goes; ``connectionLost`` follows."""

    def write(self, data: bytes) -> None:
        """See ``Side``."""
        self._tcp.write(data)

    def finish(self) -> None:
        """See ``Side``."""
        self._tcp.unregisterProducer()
        self._tcp.loseWriteConnection()

    def close(self) -> None:
        """See ``Side``."""
        if not self._lost:
            self._deadline = self._reactor.callLater(DRAIN_WITHIN, self.abort)
            self._tcp.unregisterProducer()
            self._tcp.loseConnection()

    def abort(self) -> None:
        """See ``Side``."""
        self._tcp.abortConnection()

    def pause(self) -> None:
        """See ``Side``."""
        self._tcp.pauseProducing()

    def resume(self) -> None:
        """See ``Side``."""
        self._tcp.resumeProducing()

    @property
    def _tcp(self) -> Any:
        return self.transport


def _nothing() -> None:
    """Nobody waits for this caller yet."""
