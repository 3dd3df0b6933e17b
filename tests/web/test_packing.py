"""Answers in gzip."""

from __future__ import annotations

import gzip
import secrets
import zlib

from iotcenter.center.subscribers import RemovedEvent
from iotcenter.model import Role
from iotcenter.web.doors import Door
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.streams import PIECE
from tests.web.support import WebTestCase
from tests.web.test_streams import FakeRequest, StreamTestCase

GZIP = {"Accept-Encoding": "gzip, deflate, br"}


class PackedRequest(FakeRequest):
    """A reader that can read gzip. ``text`` is what it has read so far."""

    def __init__(self, host: str = "192.0.2.1", room: int = 2**40) -> None:
        super().__init__(host, room)
        self.headers: dict[str, str] = {}
        self.text = b""
        self._reading = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def setHeader(self, name: str, value: str) -> None:
        """See ``Request``."""
        self.headers[name] = value

    def write(self, data: bytes) -> None:
        """See ``Request``."""
        self.text += self._reading.decompress(data)
        super().write(data)


def _too_many(stream: object) -> None:
    raise HTTPProblem(429, "too_many_streams", "too many event streams are open")


class AnswerTests(WebTestCase):
    """Pages and what the API answers."""

    async def test_pages(self) -> None:
        """Whoever can read gzip gets it, and the same page as others."""
        viewer = await self.user(Role.VIEWER)
        plain = await self.ask("GET", "/about", viewer)
        packed = await self.ask("GET", "/about", viewer, headers=GZIP)
        self.assertEqual((plain.header("content-encoding"), plain.header("vary")), ("", "Accept-Encoding"))
        self.assertEqual((packed.header("content-encoding"), packed.header("vary")), ("gzip", "Accept-Encoding"))
        self.assertLess(len(packed.body), len(plain.body) / 2)
        self.assertIn(b"About", gzip.decompress(packed.body))
        self.assertEqual(int(packed.header("content-length")), len(packed.body))

    async def test_short_answers(self) -> None:
        """What is one packet anyway comes as it is, whoever asks."""
        answer = await self.ask("GET", "/api/v1/devices", await self.program(Role.VIEWER), headers=GZIP)
        self.assertEqual((answer.header("content-encoding"), answer.json()), ("", []))

    async def test_errors(self) -> None:
        """A page that tells of an error is compressed like any."""
        answer = await self.ask("GET", "/nothing", await self.user(Role.VIEWER), headers=GZIP)
        self.assertEqual((answer.status, answer.header("content-encoding")), (404, "gzip"))
        self.assertIn(b"</html>", gzip.decompress(answer.body))

    async def test_behind_a_proxy(self) -> None:
        """A browser that says that another site made it ask speaks TLS to a proxy: it gets the page as it is."""
        answer = await self.ask("GET", "/sign-in", headers={**GZIP, "Sec-Fetch-Site": "cross-site"})
        self.assertEqual((answer.status, answer.header("content-encoding")), (200, ""))


class TLSTests(WebTestCase):
    """Inside TLS, where lengths must tell nothing of secrets."""

    door = Door.HTTPS

    async def test_other_sites(self) -> None:
        """What another site made a browser ask for, or may have, comes as it is."""
        for site, encoding in (
            ("same-origin", "gzip"),
            ("none", "gzip"),
            ("cross-site", ""),
            ("same-site", ""),
            (None, ""),
        ):
            headers = GZIP if site is None else {**GZIP, "Sec-Fetch-Site": site}
            answer = await self.ask("GET", "/sign-in", headers=headers)
            self.assertEqual((answer.status, answer.header("content-encoding")), (200, encoding), site)


class EventTests(WebTestCase):
    """The stream of events, as a browser reads it."""

    async def test_stream(self) -> None:
        """It is in gzip where that is understood; when there are too many, that is said in words."""
        viewer = await self.user(Role.VIEWER)
        wire, headers = await self.connect(), {"Host": "localhost", **viewer.headers, **GZIP}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        wire.write(f"GET /api/v1/events HTTP/1.1\r\n{lines}\r\n".encode())
        await wire.until(b"Content-Encoding: gzip\r\n")
        self.patch(self.parts.streams, "_admit", _too_many)
        answer = await self.ask("GET", "/api/v1/events", viewer, headers=GZIP)
        self.assertEqual(
            (answer.status, answer.header("content-encoding"), answer.code()), (429, "", "too_many_streams")
        )


class PackedTests(StreamTestCase):
    """Streams in gzip."""

    def test_the_same(self) -> None:
        """Each frame can be read as soon as it is there, and is what others get in plain."""
        packed, plain = PackedRequest(), FakeRequest("192.0.2.2")
        self.open(plain)
        self.open(packed, packed=True)
        self.assertEqual(packed.headers, {"Content-Encoding": "gzip"})
        self.assertEqual(packed.text, plain.written)
        for name in ("attic", "cellar"):
            self.center.publish(RemovedEvent(name))
            self.assertEqual(packed.text, plain.written)
        self.assertIn(b"cellar", packed.text)

    def test_a_large_snapshot(self) -> None:
        """A reader that takes it piece by piece gets it whole, and what came meanwhile after it."""
        text = secrets.token_hex(200_000)
        self.center.all = lambda: [text]
        packed, plain = PackedRequest(room=1), FakeRequest("192.0.2.2")
        self.open(plain)
        self.open(packed, packed=True)
        packed.take(1)
        self.center.publish(RemovedEvent("attic"))
        self.assertNotIn(b"attic", packed.text)
        for _ in range(200_000 // PIECE + 5):
            packed.take(1)
        self.assertEqual(packed.text, plain.written)
