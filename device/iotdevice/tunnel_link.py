"""The connection that the device dials back for a tunnel: one message each way, then a stream of bytes."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from iotcenter.wire import farewell
from iotcenter.wire.codec import decode
from iotcenter.wire.errors import WireError
from iotcenter.wire.framing import FrameReader, frame
from iotcenter.wire.joint import Half
from iotcenter.wire.messages import Tunnel
from iotcenter.wire.stream import END, StreamReader, piece
from iotdevice.tls import Handshakes, UntrustedServer, check_name
from iotdevice.tunnel_side import TunnelSide

ACCEPTED_WITHIN = 20.0
"""Seconds from TCP to the server's word: the server itself waits no longer than half of that for the device."""

MAX_ANSWER = 4096
"""The longest first frame: a refusal has a sentence."""


class NotAccepted(Exception):
    """The server does not want this tunnel; the text says why."""


@implementer(IHandshakeListener)
class TunnelLink(TunnelSide):
    """A ``Side``. ``accepted`` fires when the server knows the tunnel by ``hello``, and fails with ``NotAccepted``."""

    def __init__(self, clock: IReactorTime, handshakes: Handshakes, hello: Tunnel) -> None:
        super().__init__(clock)
        self.accepted: Deferred[None] = Deferred()
        self._handshakes = handshakes
        self._hello = hello
        self._first = FrameReader(MAX_ANSWER)
        self._stream = StreamReader()
        self._lost = ""

    def join(self, half: Half) -> None:
        """Begin; to be called in the turn in which ``accepted`` fires, before anything comes."""
        self._half = half

    def connectionMade(self) -> None:
        """TCP stands; who is there shows when the handshake is complete."""
        self._timers.within(ACCEPTED_WITHIN, self._late)
        self._transport.registerProducer(self, True)
        self._transport.setTcpNoDelay(True)
        self._transport.setTcpKeepAlive(True)

    def handshakeCompleted(self) -> None:
        """TLS stands: it is the right server, or nothing is said."""
        connection = self._transport.getHandle()
        try:
            self._handshakes.check_protocol(connection)
            check_name(connection.get_peer_certificate(as_cryptography=True))
        except UntrustedServer as error:
            self._fail(f"the server cannot be trusted: {error}")
        else:
            self._transport.write(frame(self._hello))

    def dataReceived(self, data: bytes) -> None:
        """The server's word, and then the stream."""
        try:
            if not self.accepted.called:
                data = self._answered(data)
            self._take(data)
        except WireError as error:
            self._fail(f"the server broke the protocol: {error}")

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        """The connection is gone."""
        self._timers.close()
        self._gone = True
        self._lost = self._lost or f"the connection to the server ended: {self._handshakes.words_for(reason)}"
        if not self.accepted.called:
            self.accepted.errback(NotAccepted(self._lost))
        elif self._half is not None:
            self._half.lost(self._lost)

    def resumeProducing(self) -> None:
        """The server takes more again."""
        if not farewell.is_over(self.transport):
            super().resumeProducing()

    def write(self, data: bytes) -> None:
        """See ``Side``."""
        self._transport.write(piece(data))

    def finish(self) -> None:
        """See ``Side``."""
        self._transport.write(END)

    def close(self) -> None:
        """See ``Side``. It is read on, for the end of TLS is in what comes."""
        if not self._gone:
            self.resume()
            super().close()

    def _answered(self, data: bytes) -> bytes:
        """The server's first message, if it is complete; the answer is what came behind it."""
        for body in self._first.receive(data):
            message = decode(body)
            if not isinstance(message, Tunnel):
                raise WireError(getattr(message, "reason", "") or "that is no answer to a tunnel")
            break
        else:
            return b""
        self._timers.clear()
        self.accepted.callback(None)
        return self._first.rest()

    def _take(self, data: bytes) -> None:
        for part in self._stream.receive(data):
            if self._half is not None:
                self._half.received(part)
        if self._stream.ended and self._half is not None:
            self._half.ended()

    def _late(self) -> None:
        self._fail(f"the server did not answer within {ACCEPTED_WITHIN:g} s")

    def _fail(self, reason: str) -> None:
        self._lost = reason
        self.abort()
