"""Too much of everything, on real sockets: refused before it is kept."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import socket
import ssl
import struct
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet import task
from twisted.internet.defer import gatherResults
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from iotcenter.model import MAX_LINE, MAX_SHORT_TEXT, Reading
from iotcenter.transports.conversations import DEVICE_FRAME
from iotcenter.transports.tls_connection import FIRST_FRAME
from iotcenter.web.body import MAX_BODY
from iotcenter.wire.framing import frame
from iotcenter.wire.messages import Close, CloseCode, Hello, Log, Report
from iotdevice.clock import Clock
from iotdevice.devicelog import KEPT, PAUSE, DeviceLog
from iotdevice.window import READINGS
from tests.daemons import ServerProcess
from tests.device.support import FakeChannel
from tests.faults.links import connect, device_context, join
from tests.faults.surroundings import Surroundings
from tests.processes import resident

LINKS = 40

PER_LINK = 256 * 1024
"""The most memory that one link may take, whatever comes over it."""

FLOOD = 4 * 1024 * 1024
"""How much is pushed behind what is refused already."""

PIECE = 32 * 1024
"""How much TLS hands on at a time."""

WIDEST = "\N{GRINNING FACE}"
"""A letter that takes four bytes, which is the most."""

NESTED = b"[" * 30_000


class OversizedTestCase(TestCase):
    """Has a server, whose memory is watched."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Start it."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-oversized-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.server = ServerProcess(reactor, self.folder / "server")
        self.addCleanup(self.server.kill)
        await self.server.start()
        self.addCleanup(self.assert_sound)

    @property
    def resident(self) -> int:
        """How many bytes of memory the server holds."""
        return resident(self.server.program.pid)

    def assert_sound(self) -> None:
        """Whatever was done, nothing failed within."""
        self.assertNotIn("Traceback", (self.folder / "server/log/server.log").read_text())


class LinkTests(OversizedTestCase):
    """Frames."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Enroll a device."""
        await super().setUp()
        await self.server.enroll("kitchen-pi", self.folder / "device")
        self.context = device_context(self.folder / "device")

    async def test_lengths(self) -> None:
        """A frame of 4 GiB is refused from its length, and what is pushed behind it is not kept."""
        await (await join(self.reactor, self.server.tls, self.context)).close()  # what the first link takes stays
        before = self.resident
        for _ in range(LINKS // 4):
            client = await join(self.reactor, self.server.tls, self.context)
            closing = client.next(Close)
            client.write(b"\xff\xff\xff\xff")
            client.write(bytes(FLOOD))
            close = await closing
            self.assertEqual(close.code, CloseCode.PROTOCOL)
            self.assertIn("4294967295", close.reason)
            await client.lost
        self.assertLess(self.resident - before, LINKS * PER_LINK)

    async def test_frames_without_end(self) -> None:
        """Strangers that begin the longest frame they may, and never end it, cost a bounded amount each."""
        clients = [await connect(self.reactor, self.server.tls, self.context) for _ in range(LINKS)]
        link = await join(self.reactor, self.server.tls, self.context)  # so the handshakes before it are over too
        before = self.resident
        for client in clients:
            client.write(struct.pack(">I", FIRST_FRAME) + bytes(FIRST_FRAME - 1))
        closing = link.next(Close)
        link.write(
            struct.pack(">I", DEVICE_FRAME + 1)
        )  # it comes after all that, so when it is answered, that was read
        await closing
        self.assertLess((self.resident - before) / LINKS, PER_LINK)
        await link.lost
        for client in clients:
            client.transport.abortConnection()  # type: ignore[union-attr]
            await client.lost


class BufferTests(SynchronousTestCase):
    """What a link of ours may have us keep."""

    def test_frame_without_end(self) -> None:
        """The beginning of the longest frame is kept, nothing of one that is longer, and nothing after nonsense."""
        for length in (DEVICE_FRAME, DEVICE_FRAME + 1):
            connection, transport = Surroundings().connect()
            connection.dataReceived(frame(Hello()))
            most = 0
            for piece in (struct.pack(">I", length), *[bytes(PIECE)] * (FLOOD // PIECE)):
                connection.dataReceived(piece)
                most = max(most, len(connection.reader._buffer))
            self.assertLessEqual(most, PER_LINK + 4)
            self.assertTrue(transport.disconnecting)


class AgentTests(SynchronousTestCase):
    """What our own agent says at most."""

    def test_reports(self) -> None:
        """The largest report fits: as many readings as one has, of the longest texts in the widest letters."""
        readings = (Reading("s" * 64, WIDEST * MAX_SHORT_TEXT, 1.7e9),) * READINGS
        self.assertLess(len(frame(Report(2**32 - 1, 2**32 - 1, readings, 1.7e9))), DEVICE_FRAME)

    def test_logs(self) -> None:
        """So do the lines of an application that logs more than anybody reads."""
        steady, channel = task.Clock(), FakeChannel()
        log = DeviceLog(Clock(steady))
        for _ in range(KEPT):
            log.say(WIDEST * MAX_LINE)
        log.connected(channel)
        steady.pump([PAUSE] * KEPT)
        self.assertEqual(sum(len(message.lines) for message in channel.of(Log)), KEPT)
        self.assertLess(max(len(frame(message)) for message in channel.of(Log)), DEVICE_FRAME)


class HTTPTests(OversizedTestCase):
    """Requests."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Be an administrator's program."""
        await super().setUp()
        await self.server.ask("devices", {"name": "kitchen-pi"})
        self.token = (await self.server.ask("tokens", {"name": "test", "role": "admin"}))["token"]

    def request(self, body: bytes, *headers: str, path: str = "devices/kitchen-pi/commands") -> bytes:
        """A request of the API as bytes."""
        head = [
            f"POST /api/v1/{path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {self.token}",
            "Content-Type: application/json",
            *(headers or (f"Content-Length: {len(body)}",)),
        ]
        return "\r\n".join([*head, "", ""]).encode() + body

    async def status(self, data: bytes) -> int:
        """The status of the answer to ``data`` over HTTP, and the same over HTTPS."""
        ports: list[tuple[int, bool]] = [(self.server.http, False), (self.server.https, True)]
        plain, secured = await gatherResults([deferToThread(exchange, *port, data) for port in ports])
        self.assertEqual(plain, secured)
        return int(plain)

    async def test_deep_json(self) -> None:
        """JSON that is nested too deeply is no JSON of ours."""
        for body in (NESTED, b'{"name": "echo", "args": {"a": ' + NESTED, b'{"args": ' + b'{"a":' * 10_000):
            self.assertIn(await self.status(self.request(body)), (400, 422))

    async def test_bombs(self) -> None:
        """What is packed is not unpacked: a few kilobytes cannot become many."""
        bomb = gzip.compress(b'{"name": "' + b"a" * 50_000_000 + b'"}')
        self.assertLess(len(bomb), MAX_BODY)
        before = self.resident
        length = f"Content-Length: {len(bomb)}"
        self.assertIn(await self.status(self.request(bomb, length, "Content-Encoding: gzip")), (400, 415))
        self.assertEqual(await self.status(self.request(bomb, "Transfer-Encoding: gzip, chunked")), 400)
        self.assertLess(self.resident - before, 10 * PER_LINK)

    async def test_bodies(self) -> None:
        """A body that is announced as too long, or grows to it, is refused, and the rest of it is not kept."""
        await self.send_bodies()  # the first of its kind has the server take the memory that it goes on with
        before = self.resident
        for _ in range(3):
            await self.send_bodies()
        self.assertLess(self.resident - before, 10 * PER_LINK)

    async def send_bodies(self) -> None:
        """Send bodies that are too long, in all ways."""
        chunk = b"4000\r\n" + bytes(0x4000) + b"\r\n"
        for length in (MAX_BODY + 1, 2**32, 2**63):
            self.assertEqual(await self.status(self.request(bytes(FLOOD), f"Content-Length: {length}")), 413)
        data = self.request(chunk * (FLOOD // len(chunk)), "Transfer-Encoding: chunked")
        self.assertEqual(await self.status(data), 413)

    async def test_heads(self) -> None:
        """So is a head that is too long in any way."""
        before = self.resident
        for header in ("X: " + "a" * FLOOD, "\r\n".join(["X: a"] * 10_000)):
            self.assertIn(await self.status(self.request(b"", header)), (400, 431))
        self.assertIn(await self.status(b"GET /" + b"a" * FLOOD), (400, 431))
        self.assertLess(self.resident - before, 10 * PER_LINK)


def exchange(port: int, secured: bool, data: bytes) -> int:
    """The status that the server answers ``data`` with; it may hang up before it has heard all. It blocks."""
    with socket.create_connection(("127.0.0.1", port), 20) as plain:
        connection = ssl._create_unverified_context().wrap_socket(plain) if secured else plain
        answer = b""
        with contextlib.suppress(OSError):
            connection.sendall(data)
        with contextlib.suppress(OSError):
            while b"\r\n" not in answer and (piece := connection.recv(4096)):
                answer += piece
        return int(answer.split(b" ")[1]) if answer else 0
