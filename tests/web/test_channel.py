"""HTTP as bytes: deadlines, bounds, and whatever strangers may send."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from iotcenter.web.body import MAX_BODY
from iotcenter.web.channel import (
    BODY_WITHIN,
    CLOSE_WITHIN,
    HEADERS_WITHIN,
    IDLE,
    BoundedChannel,
    BoundedRequest,
    cut,
)
from iotcenter.web.connections import Connections

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Recorder(Resource):
    """Answers with the length of what it got, or waits until it is told to."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []
        self.waits = False
        self.waiting: list[Request] = []

    def render(self, request: Request) -> bytes | int:
        """See ``Resource``."""
        self.bodies.append(request.content.read())  # type: ignore[union-attr]
        if self.waits:
            self.waiting.append(request)
            return NOT_DONE_YET
        return b"%d" % len(self.bodies[-1])


class Transport(StringTransport):
    """A transport that notes how it was closed."""

    aborted = False

    def abortConnection(self) -> None:
        """See ``ITCPTransport``."""
        super().abortConnection()
        self.aborted = True

    @property
    def closed(self) -> bool:
        """Whether it was closed by either way."""
        return self.aborted or self.disconnecting


class ChannelTestCase(SynchronousTestCase):
    """Has a site whose clock stands still until it is turned."""

    def setUp(self) -> None:
        """Make the site."""
        self.clock = Clock()
        self.resource = Recorder()
        self.site = Site(self.resource, BoundedRequest, reactor=self.clock)
        self.site.protocol = BoundedChannel  # type: ignore[assignment]
        self.site.connections = Connections()  # type: ignore[attr-defined]
        self.site.log = lambda request: None  # type: ignore[method-assign]

    def open(self, host: str = "192.0.2.1") -> tuple[BoundedChannel, Transport]:
        """A connection from ``host``."""
        channel = self.site.buildProtocol(None)
        assert isinstance(channel, BoundedChannel)
        transport = Transport(peerAddress=IPv4Address("TCP", host, 50000))
        channel.makeConnection(transport)
        return channel, transport

    def said(self, data: bytes) -> tuple[int, Transport]:
        """The status of the first answer to ``data``, 0 where there is none."""
        channel, transport = self.open()
        channel.dataReceived(data)
        said = transport.value()
        return int(said.split(b" ", 2)[1]) if said else 0, transport


class DeadlineTests(ChannelTestCase):
    """Time runs, whatever drips."""

    def drip(self, seconds: float, channel: BoundedChannel, data: Callable[[], bytes] = lambda: b"a") -> None:
        """A byte a second."""
        for _ in range(int(seconds)):
            channel.dataReceived(data())
            self.clock.advance(1)

    def test_silent(self) -> None:
        """A connection on which nothing is said is closed."""
        _, transport = self.open()
        self.clock.advance(HEADERS_WITHIN - 0.1)
        self.assertFalse(transport.closed)
        self.clock.advance(0.2)
        self.assertTrue(transport.closed)

    def test_dripping_headers(self) -> None:
        """Headers that drip steadily end at the same deadline."""
        channel, transport = self.open()
        channel.dataReceived(b"GET / HTTP/1.1\r\nX: ")
        self.drip(HEADERS_WITHIN - 1, channel)
        self.assertFalse(transport.closed)
        self.drip(1, channel)
        self.assertTrue(transport.aborted)

    def test_dripping_body(self) -> None:
        """So does a body, at its own deadline."""
        channel, transport = self.open()
        channel.dataReceived(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
        self.drip(BODY_WITHIN - 1, channel)
        self.assertFalse(transport.closed)
        self.drip(1, channel)
        self.assertTrue(transport.aborted)
        self.assertEqual(self.resource.bodies, [])

    def test_idle(self) -> None:
        """A connection is kept for a next request, for a while; its first byte starts the deadline of the headers."""
        channel, transport = self.open()
        channel.dataReceived(GET)
        self.clock.advance(IDLE - 1)
        channel.dataReceived(GET)
        self.assertEqual(len(self.resource.bodies), 2)
        self.clock.advance(IDLE - 1)
        channel.dataReceived(b"G")
        self.clock.advance(HEADERS_WITHIN - 1)
        self.assertFalse(transport.closed)
        self.clock.advance(1)
        self.assertTrue(transport.aborted)

    def test_slow_answer(self) -> None:
        """A request that takes long to answer has no deadline: it is ours."""
        self.resource.waits = True
        channel, transport = self.open()
        channel.dataReceived(GET)
        self.clock.advance(3600)
        self.assertFalse(transport.closed)
        self.resource.waiting[0].finish()
        self.clock.advance(IDLE)
        self.assertTrue(transport.closed)

    def test_answer_not_taken(self) -> None:
        """A peer that does not take its last answer loses the connection in the end."""
        channel, transport = self.open()
        channel.dataReceived(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.assertTrue(transport.disconnecting)
        self.clock.advance(CLOSE_WITHIN)
        self.assertTrue(transport.aborted)

    def test_nothing_left(self) -> None:
        """A connection that is gone leaves no timer behind, and no place taken."""
        for data in (b"", b"GET", GET, GET + b"G", b"GET / HTTP/1.0\r\n\r\n", b"nonsense\r\n\r\n"):
            channel, _ = self.open()
            channel.dataReceived(data)
            channel.connectionLost(Failure(ConnectionError()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.site.connections), 0)  # type: ignore[attr-defined]


class BoundTests(ChannelTestCase):
    """Nothing is taken that is too much."""

    def test_body(self) -> None:
        """A body of the greatest length is taken, and one a byte longer refused as soon as its length is known."""
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
        status, _ = self.said(head % MAX_BODY + bytes(MAX_BODY))
        self.assertEqual(status, 200)
        for digits in (b"%d" % (MAX_BODY + 1), b"%d" % 2**32, b"%d" % 2**63, b"9" * 5000):
            with self.subTest(digits[:20]):
                status, transport = self.said(b"POST / HTTP/1.1\r\nContent-Length: " + digits + b"\r\n\r\n")
                self.assertEqual(status, 413)
                self.assertTrue(transport.closed)

    def test_chunks(self) -> None:
        """Chunks end where their sum is too much; what comes behind them is not answered."""
        chunk = b"4000\r\n" + bytes(0x4000) + b"\r\n"
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        status, _ = self.said(head + chunk * 4 + b"0\r\n\r\n")
        self.assertEqual(status, 200)
        status, transport = self.said(head + chunk * 4 + b"1\r\na\r\n0\r\n\r\n" + GET)
        self.assertEqual((status, transport.value().count(b"HTTP/1.1 ")), (413, 1))
        self.assertEqual(len(self.resource.bodies), 1)

    def test_head(self) -> None:
        """Lines, headers and heads that are too long, too many, folded, or no headers at all are refused."""
        bad = {
            "line": b"GET /" + b"a" * 20000,
            "request line": b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n",
            "header": b"GET / HTTP/1.1\r\nX: " + b"a" * 20000 + b"\r\n\r\n",
            "headers": b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 101 + b"\r\n",
            "head": b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: %s\r\n" % (n, b"a" * 300) for n in range(80)) + b"\r\n",
            "folded": b"GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
            "no colon": b"GET / HTTP/1.1\r\nX\r\n\r\n",
            "space": b"GET / HTTP/1.1\r\nX : a\r\n\r\n",
            "version": b"GET / HTTP/2.0\r\n\r\n",
            "binary": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        }
        for name, data in bad.items():
            with self.subTest(name):
                status, transport = self.said(data)
                self.assertIn(status, (400, 431))
                self.assertTrue(transport.closed)
        self.assertEqual(self.resource.bodies, [])

    def test_api(self) -> None:
        """A program that asks the API is told in JSON, with a length, wherever its request was refused."""
        chunks = b"Transfer-Encoding: chunked\r\n\r\n" + b"10001\r\n" + bytes(0x10001) + b"\r\n"
        bad = {
            "too_large": (b"/api/v1/tokens", b"Content-Length: 65537\r\n\r\n"),
            "too_large, in chunks": (b"/api/v1/tokens", chunks),
            "head_too_large": (b"/api/v1/tokens", b"X: " + b"a" * 20000 + b"\r\n\r\n"),
            "bad_request": (b"/api/v1/tokens", b"X\r\n\r\n"),
            "bad_request, not UTF-8": (b"/api/v1/%ff", b"Content-Length: 0\r\n\r\n"),
        }
        for name, (path, rest) in bad.items():
            with self.subTest(name):
                _, transport = self.said(b"POST " + path + b" HTTP/1.1\r\nHost: a\r\n" + rest)
                head, _, body = transport.value().partition(b"\r\n\r\n")
                self.assertIn(b"Content-Length: %d" % len(body), head)
                self.assertEqual(msgspec.json.decode(body)["error"]["code"], name.partition(",")[0])

    def test_smuggling(self) -> None:
        """A request whose length can be read in two ways is refused and never served."""
        for headers in (
            b"Content-Length: 5\r\nContent-Length: 6\r\nX: y\r\n",
            b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\nX: y\r\n",
            b"Transfer-Encoding: gzip\r\n",
            b"Content-Length: +5\r\n",
            b"Content-Length: -1\r\n",
            b"Content-Length: 5, 5\r\n",
        ):
            with self.subTest(headers):
                status, transport = self.said(b"POST / HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\nabcdef" + GET)
                self.assertEqual(status, 400)
                self.assertEqual(transport.value().count(b"HTTP/1.1 "), 1)
        self.assertEqual(self.resource.bodies, [])

    def test_nothing_after_refusal(self) -> None:
        """What a refused peer sends afterwards is not even looked at."""
        channel, transport = self.open()
        channel.dataReceived(b"nonsense\r\n")
        transport.disconnecting = False  # as over TLS, where bytes still come while the connection closes
        channel.dataReceived(GET)
        self.assertEqual(self.resource.bodies, [])

    def test_pipelining(self) -> None:
        """Requests that come together are answered in turn, and what waits for its turn is bounded."""
        self.resource.waits = True
        channel, transport = self.open()
        channel.dataReceived(GET * 3)
        self.assertEqual(len(self.resource.bodies), 1)
        channel.dataReceived(GET * 1000)
        self.assertEqual(transport.producerState, "paused")
        self.resource.waits = False
        self.resource.waiting[0].finish()
        self.assertEqual(len(self.resource.bodies), 1003)

    def test_cut(self) -> None:
        """An answer that is cut half-way loses its connection at once."""
        self.resource.waits = True
        channel, transport = self.open()
        channel.dataReceived(GET)
        cut(self.resource.waiting[0])
        self.assertTrue(transport.aborted)
        channel.connectionLost(Failure(ConnectionError()))


class FuzzTests(ChannelTestCase):
    """Whatever comes, nothing fails here."""

    ALPHABET = st.sampled_from(
        [
            *(bytes([byte]) for byte in b"\r\n :/%?=&;,\x00\xff\tab09"),
            *(b"GET", b"POST", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"\r\n\r\n", b"Content-Length: ", b"chunked"),
            *(b"Transfer-Encoding: ", b"Connection: keep-alive", b"Cookie: ", b"Host: ", b"Expect: 100-continue"),
            *(b"99999999999999999999", b"ffffffff\r\n", b"0\r\n\r\n", GET),
        ]
    )

    @given(st.lists(st.binary(max_size=20) | ALPHABET, max_size=40), st.integers(1, 50))
    def test_anything(self, pieces: list[bytes], size: int) -> None:
        """Any bytes, in any pieces, are answered or refused, and leave nothing behind."""
        self.setUp()
        channel, _ = self.open()
        data = b"".join(pieces)
        for start in range(0, len(data), size):
            channel.dataReceived(data[start : start + size])
        self.clock.advance(HEADERS_WITHIN)
        channel.connectionLost(Failure(ConnectionError()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])
