"""The ways to the center, each of which carries one packet there and one answer back."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any, Protocol, cast

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionDone, DNSLookupError
from twisted.internet.interfaces import IHandshakeListener, IStreamClientEndpoint
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.internet.protocol import Protocol as StreamProtocol
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from zope.interface import implementer

from iotcenter.wire.registrar.packets import MAX_PACKET
from iotdevice.registrar import trust
from iotdevice.tls import CONNECT_WITHIN, UntrustedServer

ANSWER_WITHIN = 10.0
"""Seconds for an answer: somebody is waiting, and a small server checks one password at a time."""


class NoAnswer(Exception):
    """There is no answer; the text says why."""


class Way(Protocol):
    """A way to the center."""

    name: str
    """For people: TLS, TCP or UDP."""

    async def ask(self, packet: bytes) -> bytes:
        """Send ``packet``; its answer. Raises ``NoAnswer``."""


class StreamWay:
    """A connection for each packet, over TLS where ``expected`` is the fingerprint of the root to trust."""

    def __init__(self, reactor: Any, host: str, port: int, expected: bytes | None) -> None:
        self.name = "TCP" if expected is None else "TLS"
        self._reactor = reactor
        self._where = f"{host}:{port}"
        self._expected = expected
        plain = HostnameEndpoint(reactor, host, port, timeout=CONNECT_WITHIN)
        secured = plain if expected is None else wrapClientTLS(trust.Handshakes(), plain)
        self._endpoint: IStreamClientEndpoint = secured

    async def ask(self, packet: bytes) -> bytes:
        """See ``Way``."""
        kind = Asking if self._expected is None else _SecuredAsking
        factory = Factory.forProtocol(lambda: kind(packet, self._expected or b"", time.time))
        factory.noisy = False
        try:
            asking = cast(Asking, await self._endpoint.connect(factory))
        except (ConnectError, DNSLookupError) as error:
            raise NoAnswer(f"{self._where} cannot be reached: {str(error).rstrip('.')}") from None
        late = self._reactor.callLater(ANSWER_WITHIN, asking.give_up)
        try:
            return await asking.answer
        except NoAnswer as error:
            raise NoAnswer(f"{self._where}: {error}") from None
        finally:
            if late.active():
                late.cancel()


class Asking(StreamProtocol):
    """One connection. ``answer`` fires when it is closed."""

    def __init__(self, packet: bytes, expected: bytes, wall: Callable[[], float]) -> None:
        self.answer: Deferred[bytes] = Deferred()
        self._packet = packet
        self._expected = expected
        self._wall = wall
        self._came = b""
        self._fault = ""

    def connectionMade(self) -> None:
        """TCP stands."""
        self._say()

    def dataReceived(self, data: bytes) -> None:
        """The answer, which ends with a newline since the packet did, or a part of it."""
        if self._transport.disconnecting:
            return
        self._came += data
        if b"\n" in self._came:
            self._transport.loseConnection()
        elif len(self._came) > MAX_PACKET:
            self._end("its answer does not end")

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        """It is closed."""
        if self._came and not self._fault:
            self.answer.callback(self._came.partition(b"\n")[0])
        else:
            self.answer.errback(NoAnswer(self._fault or _words(reason)))

    def give_up(self) -> None:
        """It takes too long."""
        self._end(f"no answer within {ANSWER_WITHIN:g} s")

    @property
    def _transport(self) -> Any:
        return self.transport

    def _say(self) -> None:
        self._transport.write(self._packet + b"\n")

    def _end(self, fault: str) -> None:
        self._fault = fault
        self._transport.abortConnection()


@implementer(IHandshakeListener)
class _SecuredAsking(Asking):
    """The same over TLS: nothing is said before the server is known."""

    def connectionMade(self) -> None:
        """TCP stands, and TLS not yet."""

    def handshakeCompleted(self) -> None:
        """TLS stands."""
        connection: SSL.Connection = self._transport.getHandle()
        try:
            trust.check(connection.get_peer_cert_chain(as_cryptography=True) or [], self._expected, self._wall())
        except UntrustedServer as error:
            self._end(f"the server cannot be trusted: {error}")
        else:
            self._say()


class DatagramWay:
    """A datagram for each packet, and one back."""

    name = "UDP"

    def __init__(self, reactor: Any, host: str, port: int) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port

    async def ask(self, packet: bytes) -> bytes:
        """See ``Way``."""
        where = f"{self._host}:{self._port}"
        try:
            address = await deferToThread(socket.getaddrinfo, self._host, self._port, type=socket.SOCK_DGRAM)
        except OSError as error:
            raise NoAnswer(f"{where} cannot be found: {error.strerror}") from None
        family, *_, target = address[0]
        asking = _DatagramAsking(packet, str(target[0]), self._port)
        port = self._reactor.listenUDP(0, asking, interface="::" if family == socket.AF_INET6 else "")
        late = self._reactor.callLater(ANSWER_WITHIN, asking.fail, f"no answer within {ANSWER_WITHIN:g} s")
        try:
            return await asking.answer
        except NoAnswer as error:
            raise NoAnswer(f"{where}: {error}") from None
        finally:
            if late.active():
                late.cancel()
            await port.stopListening()


class _DatagramAsking(DatagramProtocol):
    noisy = False

    def __init__(self, packet: bytes, host: str, port: int) -> None:
        self.answer: Deferred[bytes] = Deferred()
        self._packet = packet
        self._target = host, port

    def startProtocol(self) -> None:
        """The socket is open. What others than the center send is not even seen."""
        transport: Any = self.transport
        transport.connect(*self._target)
        transport.write(self._packet)

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """The answer."""
        if not self.answer.called:
            self.answer.callback(datagram)

    def connectionRefused(self) -> None:
        """The other machine says so."""
        self.fail("nobody listens there")

    def fail(self, why: str) -> None:
        """There will be no answer."""
        if not self.answer.called:
            self.answer.errback(NoAnswer(why))


def _words(reason: Failure) -> str:
    if isinstance(reason.value, SSL.Error):
        return "it speaks no TLS that fits: is it the port for clear text (--plain)?"
    if isinstance(reason.value, ConnectionDone):
        return "it closed the connection without an answer"
    return str(reason.getErrorMessage()).rstrip(".")
