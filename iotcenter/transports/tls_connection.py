"""One TLS connection: deadlines, frames and backpressure. What is said over it is a conversation's business."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from iotcenter.interfaces import Refused
from iotcenter.model import Message
from iotcenter.transports.handshake import Barred, ServerConnection
from iotcenter.wire import farewell
from iotcenter.wire.codec import DamagedReport, decode
from iotcenter.wire.errors import WireError
from iotcenter.wire.framing import FrameReader, frame
from iotcenter.wire.messages import Close, CloseCode, Report

if TYPE_CHECKING:
    from iotcenter.transports.tls_factory import ConnectionFactory

HANDSHAKE_WITHIN = 10.0
"""Seconds for TLS, counted from the connection: a byte now and then does not buy more."""

FIRST_MESSAGE_WITHIN = 10.0
"""Seconds from the handshake to the first whole message."""

GOODBYE_WITHIN = 1.0
"""Seconds that a closing connection has to take its last words: a revoked device does not get to stay by not
listening."""

FIRST_FRAME = 128 * 1024
"""The longest first message. A ``Hello`` that offers all it may does not reach it."""

REPORTS = frozenset({Report, DamagedReport})

TakeReports = Callable[[Sequence[Any], Sequence[bytes]], None]
"""Takes reports that came together, and the MessagePack of each."""


class Conversation(Protocol):
    """What is said over a connection whose handshake is complete."""

    def received(self, message: Any) -> None:
        """The other end said ``message``. Raises ``WireError`` where it may not, ``Refused`` where it must not."""

    def lost(self, reason: str) -> None:
        """The connection is gone."""


class Stream(Protocol):
    """What a connection is for once its messages are over: bytes both ways."""

    def received(self, data: bytes) -> None:
        """Bytes came. Raises ``WireError`` where they do not fit."""

    def full(self) -> None:
        """The peer does not read what it gets."""

    def drained(self) -> None:
        """The peer reads again."""


@implementer(IHandshakeListener, IPushProducer)
class Connection(TwistedProtocol):
    """The server's end. It is its own transport's producer: while the peer does not read, nothing more is read from
    it."""

    factory: ConnectionFactory

    def __init__(self, factory: ConnectionFactory, begin: Begin, host: str, port: int) -> None:
        self.factory = factory
        self._begin = begin
        self.house = factory.house
        self.host = host
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.reader = FrameReader(FIRST_FRAME)
        self.reading = True
        self.received = 0
        self.sent = 0
        """How many bytes came, and went; TLS itself is not counted."""
        self._conversation: Conversation | None = None
        self._take_reports: TakeReports | None = None
        self._stream: Stream | None = None
        self._deadline: Any = None
        self._closing = False
        self._ended = ""

    def connectionMade(self) -> None:
        """TCP stands; who it is shows later."""
        self._within(HANDSHAKE_WITHIN, "the TLS handshake took too long")
        self._transport.registerProducer(self, True)

    def handshakeCompleted(self) -> None:
        """TLS stands: find out who it is, and what it wants."""
        self._within(FIRST_MESSAGE_WITHIN, "no first message came in time")
        try:
            self._conversation = self._begin(self, self._transport.getHandle())
        except Barred as refusal:
            self.refuse(str(refusal), CloseCode.REVOKED)
        except Refused as refusal:
            self.refuse(str(refusal))

    def dataReceived(self, data: bytes) -> None:
        """Bytes came: what they complete is handed on, in order."""
        if self._closing:
            return
        self.received += len(data)
        try:
            if self._stream is not None:
                self._stream.received(data)
            else:
                self._take_messages(data)
        except WireError as error:
            self.house.log.debug("Closing {address}", address=self.address)
            self.factory.complain(self.address, str(error))
            self.end(CloseCode.PROTOCOL, str(error))
        except Refused as refusal:
            self.refuse(str(refusal))

    def _take_messages(self, data: bytes) -> None:
        """Hand messages on; reports that came together go together."""
        reports: list[Any] = []
        bodies: list[bytes] = []
        for body in self.reader.receive(data):
            message = decode(body)
            if self._take_reports is not None and type(message) in REPORTS:
                reports.append(message)
                bodies.append(body)
                continue
            if self._take_reports is not None and reports:
                self._take_reports(reports, bodies)
                reports, bodies = [], []
            if self._conversation is not None:
                self._conversation.received(message)
            if self._closing:
                return
            if self._stream is not None:
                break
        if self._take_reports is not None and reports:
            self._take_reports(reports, bodies)
        if self._stream is not None:
            self._stream.received(self.reader.rest())

    def connectionLost(self, reason: Failure = Failure(ConnectionError())) -> None:  # noqa: B008
        """The connection is gone."""
        self._cancel_deadline()
        self.factory.introduced(self)
        if self._conversation is None and not self._closing:
            self.factory.complain(self.address, f"the TLS handshake failed: {_words(reason)}")
        conversation, self._conversation = self._conversation, None
        self._closing = True
        if conversation is not None:
            conversation.lost(self._ended or _words(reason))
        self.factory.gone(self)

    def introduce(self, limit: int, take_reports: TakeReports) -> None:
        """The peer has shown who it is, and what it wants: no deadline any more, and frames of up to ``limit``
        bytes. Its reports go to ``take_reports`` from now on, with the bytes of each."""
        self._take_reports = take_reports
        self._cancel_deadline()
        self.factory.introduced(self)
        self.reader.limit = limit

    def become(self, stream: Stream) -> None:
        """The messages are over: what comes behind the present one is ``stream``'s."""
        self._cancel_deadline()
        self.factory.introduced(self)
        self._stream = stream

    def write(self, data: bytes) -> None:
        """Send bytes of a stream."""
        if not self._closing:
            self._transport.write(data)

    def read(self, on: bool) -> None:
        """Read on, or read no more for now: a stream has its own reasons."""
        self.reading = on
        (self._transport.resumeProducing if on else self._transport.pauseProducing)()

    def send(self, message: Message) -> None:
        """Send ``message``, unless the connection is closing. One that no frame can hold is left out."""
        if self._closing:
            return
        try:
            data = frame(message)
        except WireError as error:
            self.house.log.error("Not sent to {address}: {why}", address=self.address, why=str(error))
            return
        self.sent += len(data)
        self._transport.write(data)

    def refuse(self, reason: str, code: CloseCode = CloseCode.REFUSED) -> None:
        """Turn the peer away, in words that it gets and the log keeps; not one that is turned away already."""
        if self._closing:
            return
        self.factory.complain(self.address, f"refused: {reason}")
        self.end(code, reason)

    def end(self, code: CloseCode | str, reason: str) -> None:
        """Say why, and close. What still comes in is ignored."""
        self.send(Close(CloseCode(code), reason[:1000]))
        self.leave(reason)

    def leave(self, reason: str, goodbye: float = GOODBYE_WITHIN) -> None:
        """Close without a word; what was sent still goes out, for so many seconds. What still comes in is ignored."""
        if self._closing:
            return
        self._closing = True
        self._ended = reason
        self._cancel_deadline()
        self._deadline = self.house.reactor.callLater(goodbye, self._abort)
        self._transport.unregisterProducer()
        self._transport.loseConnection()

    def make_way(self) -> None:
        """See ``Stranger``."""
        self._too_late("it made way: too many connections have not shown who they are")

    def drop(self, reason: str) -> None:
        """End the connection without a word: nobody is there to hear it."""
        self._closing = True
        self._ended = reason
        self._abort()

    def pauseProducing(self) -> None:
        """The peer does not read what it gets: read no more from it."""
        if self._stream is not None:
            self._stream.full()
        else:
            self.read(False)

    def resumeProducing(self) -> None:
        """The peer reads again."""
        if farewell.is_over(self.transport):
            return
        if self._stream is not None:
            self._stream.drained()
        else:
            self.read(True)

    def stopProducing(self) -> None:
        """The connection goes; ``connectionLost`` follows."""

    @property
    def _transport(self) -> Any:
        return self.transport

    def _within(self, seconds: float, otherwise: str) -> None:
        self._cancel_deadline()
        self._deadline = self.house.reactor.callLater(seconds, self._too_late, otherwise)

    def _too_late(self, what: str) -> None:
        self.factory.complain(self.address, what)
        self.drop(what)

    def _abort(self) -> None:
        self._cancel_deadline()
        self._transport.abortConnection()

    def _cancel_deadline(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None and deadline.active():
            deadline.cancel()


Begin = Callable[[Connection, ServerConnection], Conversation]
"""Chooses the conversation for a connection whose handshake is complete. Raises ``Refused``."""


def _words(reason: Failure) -> str:
    """Why a connection ended, without a class name or a traceback."""
    text = reason.getErrorMessage()
    return text.rstrip(".") or type(reason.value).__name__
