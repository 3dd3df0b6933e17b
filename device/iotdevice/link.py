"""A device's link on TLS: bytes, timers and backpressure. What is said over it is the conversation's business."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHandshakeListener, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from iotcenter.model import Message
from iotcenter.wire import farewell
from iotcenter.wire.codec import decode
from iotcenter.wire.errors import WireError
from iotcenter.wire.framing import MAX_FRAME, FrameReader, frame
from iotcenter.wire.messages import Close, CloseCode, Hello, Renew
from iotdevice.conversation import Conversation, Ended, Phase
from iotdevice.timers import Timers
from iotdevice.tls import Handshakes, UntrustedServer, check_name

HANDSHAKE_WITHIN = 30.0
"""Seconds for TLS: two round trips, on the worst of mobile networks."""

GOODBYE_WITHIN = 1.0
"""Seconds that the last word may take to get out."""

MAX_UNREAD = 4 * MAX_FRAME
"""How many bytes may wait for a server that asks and asks, and reads no answers; then it is given up."""


class End(NamedTuple):
    """How a link ended: the reason in words, the code where the server gave one, and how many seconds it was open."""

    reason: str
    code: CloseCode | None
    worked: float


@implementer(IHandshakeListener, IPushProducer)
class Link(Protocol):
    """The device's end of a link. ``first`` gives its first message, ``ended`` fires with how it ended, when it is
    gone."""

    def __init__(
        self,
        clock: IReactorTime,
        handshakes: Handshakes,
        first: Callable[[], Hello | Renew],
        converse: Callable[[Link], Conversation],
    ) -> None:
        self.writable = True
        self.ended: Deferred[End] = Deferred()
        self._clock = clock
        self._handshakes = handshakes
        self._first = first
        self._conversation = converse(self)
        self._reader = FrameReader()
        self._timers = Timers(clock)
        self._unread = 0
        self._reason: Ended | None = None

    def connectionMade(self) -> None:
        """TCP stands; who is there shows when the handshake is complete."""
        self._timers.within(HANDSHAKE_WITHIN, self._late)
        self._transport.registerProducer(self, True)

    def handshakeCompleted(self) -> None:
        """TLS stands: the server proved that it has the root's trust; now its name is looked at, and nothing is said
        before."""
        self._timers.clear()
        connection: SSL.Connection = self._transport.getHandle()
        try:
            self._handshakes.check_protocol(connection)
            check_name(connection.get_peer_certificate(as_cryptography=True))
        except UntrustedServer as error:
            self._end(Ended(f"the server cannot be trusted: {error}"))
            return
        self._conversation.begin(self._first())
        self._check()

    def dataReceived(self, data: bytes) -> None:
        """Bytes came: what they complete is handed on, in order."""
        phase = self._conversation.phase
        try:
            for body in self._reader.receive(data):
                if self._reason is not None:
                    return
                self._conversation.receive(decode(body))
            if self._conversation.phase is not phase:
                self._check()
        except WireError as error:
            self.send(Close(CloseCode.PROTOCOL, str(error)[:1000]))
            self._end(Ended(f"the server broke the protocol: {error}"))
        except Ended as end:
            self._end(end)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        """The connection is gone."""
        self._timers.close()
        self._conversation.end()
        opened = self._conversation.opened
        end = self._reason or Ended(self._handshakes.words_for(reason))
        self.ended.callback(End(str(end), end.code, 0.0 if opened is None else self._clock.seconds() - opened))

    def send(self, message: Message) -> None:
        """See ``Channel``."""
        if self._reason is not None:
            return
        data = frame(message)
        self._unread = 0 if self.writable else self._unread + len(data)
        if self._unread > MAX_UNREAD:
            self._end(Ended("the server reads nothing any more"))
            return
        self._transport.write(data)

    def stop(self) -> None:
        """The agent stops: say so, where the server is known to be the right one, and go."""
        if self._conversation.phase is Phase.OPEN:
            self.send(Close(CloseCode.STOPPING, "the agent stops"))
        self._end(Ended("the agent stops"))

    def pauseProducing(self) -> None:
        """The connection takes no more for now."""
        self.writable = False

    def resumeProducing(self) -> None:
        """The connection takes more again."""
        if not farewell.is_over(self.transport):
            self.writable = True
            self._conversation.writable()

    def stopProducing(self) -> None:
        """The connection goes; ``connectionLost`` follows."""

    @property
    def _transport(self) -> Any:
        return self.transport

    def _check(self) -> None:
        try:
            self._timers.after(self._conversation.check(), self._check)
        except Ended as end:
            self._end(end)

    def _late(self) -> None:
        self._end(Ended(f"the TLS handshake took over {HANDSHAKE_WITHIN:g} s"))

    def _end(self, end: Ended) -> None:
        """Close, with what was sent before; a connection that does not get it out is cut."""
        if self._reason is not None:
            return
        self._reason = end
        self._conversation.end()
        self._timers.clear()
        self._timers.within(GOODBYE_WITHIN, self._transport.abortConnection)
        self._transport.unregisterProducer()
        self._transport.loseConnection()
