"""HTTP/1.1 with bounds: Twisted's own channel waits as long as a peer sends a byte now and then, and takes bodies of
any length."""

from __future__ import annotations

from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IHandshakeListener, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.server import Request
from zope.interface import implementer

from iotcenter.web.body import MAX_BODY
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.peers import address_of, source_of
from iotcenter.wire import farewell

if TYPE_CHECKING:
    from iotcenter.web.site import BoundedSite

HANDSHAKE_WITHIN = 10.0
"""Seconds for the TLS handshake: two or three round trips and 1 ms of work."""

HEADERS_WITHIN = 15.0
"""Seconds from a request's first byte to the end of its headers, however steadily they drip."""

BODY_WITHIN = 30.0
"""Seconds for the body, of at most 64 KiB: 2 KiB a second do."""

IDLE = 60.0
"""Seconds that a connection is kept for the next request."""

CLOSE_WITHIN = 60.0
"""Seconds for a peer to take the last answer, before the connection is cut: time for a page over a poor link."""

MAX_LENGTH_DIGITS = 12
"""The longest Content-Length that is read as a number; Python refuses to read very long ones at all."""

MAX_HEADERS = 100
"""The most headers of a request; browsers send some twenty. Together they have 16 KiB."""

BAD_REQUEST = HTTPProblem(400, "bad_request", "that is not a request in HTTP/1.1 that the server understands")
TOO_LARGE = HTTPProblem(413, "too_large", f"the body may have {MAX_BODY} bytes at most")
HEAD_TOO_LARGE = HTTPProblem(431, "head_too_large", "the headers of the request are too long")


class BoundedRequest(Request):
    """A request whose body stays in memory, as it is bounded, and is parsed by those who want it."""

    channel: BoundedChannel
    content: BytesIO

    def gotLength(self, length: int | None) -> None:
        """The headers are complete; a body of ``length`` bytes follows, or one in chunks (None)."""
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """A piece of the body came."""
        if self.content.tell() + len(data) > MAX_BODY:
            self.channel.refuse(TOO_LARGE)
        else:
            self.content.write(data)

    def process(self) -> None:
        """The request is complete."""
        if self.path.startswith(b"/") and _is_utf8(unquote_to_bytes(self.path)):
            super().process()
        else:
            self.channel.refuse(BAD_REQUEST, self.path)

    def getRequestHostname(self) -> bytes:
        """A constant: Klein asks for it, and what peers put into the Host header has no say in routing."""
        return b"iotcenter.invalid"


@implementer(IHandshakeListener)
class BoundedChannel(HTTPChannel):
    """A connection. Each part of a request has a deadline, which no byte puts off."""

    requestFactory = BoundedRequest
    maxHeaders = MAX_HEADERS
    site: BoundedSite
    transport: Any
    _path = b""  # Twisted's, which is not there before a request's first line

    def __init__(self) -> None:
        super().__init__()
        self.source = ""
        self._refused = False
        self._fresh = True

    @property
    def waiting(self) -> bool:
        """Whether no request is being answered."""
        return not self._handlingRequest

    def drop(self) -> None:
        """Close the connection now."""
        self.transport.abortConnection()

    def connectionMade(self) -> None:
        """Somebody connected."""
        self.source = source_of(address_of(self.transport.getPeer()))
        super().connectionMade()
        self.setTimeout(HANDSHAKE_WITHIN if ISSLTransport.providedBy(self.transport) else HEADERS_WITHIN)
        if not self.site.connections.add(self):
            self.transport.abortConnection()

    def handshakeCompleted(self) -> None:
        """TLS stands: from now on the first request is waited for."""
        self.setTimeout(HEADERS_WITHIN)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self.site.connections.remove(self)
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        """Bytes came. Unlike Twisted's, this does not begin the time anew, but for the first byte of a next request."""
        if self._refused or self.transport.disconnecting:
            return
        if self._fresh:
            self._fresh = False
            self.setTimeout(HEADERS_WITHIN)
        super(HTTPChannel, self).dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        """A line of a request's head came; after a refusal, none counts. Folded ones are refused (RFC 9112, section
        5.2)."""
        if line.startswith((b" ", b"\t")):
            self.refuse(BAD_REQUEST)
        if not self._refused:
            super().lineReceived(line)

    def headerReceived(self, line: bytes) -> bool:
        """A header is complete."""
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and len(value.strip()) > MAX_LENGTH_DIGITS:
            self.refuse(TOO_LARGE)
            return False
        return bool(super().headerReceived(line))

    def lineLengthExceeded(self, line: bytes) -> None:
        """A line of the head is too long."""
        self.refuse(HEAD_TOO_LARGE)

    def allHeadersReceived(self) -> None:
        """The head of a request is complete."""
        if self.length is not None and self.length > MAX_BODY:
            self.refuse(TOO_LARGE)
            return
        self.setTimeout(BODY_WITHIN)
        super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """A request is complete, and gets answered."""
        if not self._refused:
            super().allContentReceived()

    def requestDone(self, request: Any) -> None:
        """A request is answered; the next may come. It is not even read while the peer has not taken the answer:
        requests are short and answers long, and a peer that sends many at once and takes nothing would fill our
        memory."""
        self._fresh = True
        self._savedTimeOut = IDLE
        if self._waitingForTransport:
            self.paused = True
            self._networkProducer.pauseProducing()
        super().requestDone(request)

    def resumeProducing(self) -> None:
        """The peer took what was written."""
        if ISSLTransport.providedBy(self.transport) and farewell.is_over(self.transport):
            return
        super().resumeProducing()
        if self.paused:
            self.paused = False
            super(HTTPChannel, self).dataReceived(b"")

    def refuse(self, problem: HTTPProblem, path: bytes | None = None) -> None:
        """Answer what cannot be a request of ours, and listen no more. Programs that ask the API get a body."""
        if not self._refused:
            self._refused = True
            for_api = (self._path if path is None else path).startswith(b"/api/")
            self.transport.write(_last_words(problem, problem.as_json() if for_api else b""))
            self.loseConnection()

    def loseConnection(self) -> None:
        """Close when the peer took what is still to be sent, or had its time."""
        self.setTimeout(None)
        if self._abortingCall is None:
            self._abortingCall = self.callLater(CLOSE_WITHIN, self.forceAbortClient)
        super().loseConnection()

    def timeoutConnection(self) -> None:
        """A deadline passed. No line in the log: strangers could fill it."""
        if self._fresh:
            self.loseConnection()
        else:
            self.drop()

    def forceAbortClient(self) -> None:
        """The peer had its time to take the last answer."""
        self._abortingCall = None
        self.drop()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(BAD_REQUEST)


def _last_words(problem: HTTPProblem, body: bytes) -> bytes:
    media = b"Content-Type: application/json\r\n" if body else b""
    head = b"HTTP/1.1 %d %s\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n"
    return head % (problem.status, HTTPStatus(problem.status).phrase.encode(), media, len(body)) + body


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def cut(request: Request) -> None:
    """Cut the connection of ``request``, if it is there: its answer stays a part, and its handler is cancelled."""
    channel: Any = request.channel
    if channel is not None:
        channel.drop()
