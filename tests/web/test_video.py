"""Live video, from the tunnel to those who watch."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center import tunnels
from iotcenter.model import Role, VideoOffer
from iotcenter.web import video
from iotcenter.web.principal import LOCAL
from iotcenter.web.video import BOUNDARY, PATIENCE, Feed, Viewer
from iotcenter.wire.joint import Half
from iotcenter.wire.messages import Tunnel
from tests.camera import PICTURE
from tests.processes import until
from tests.web.support import HELLO, FakeLink, Visitor, WebTestCase
from tests.web.wire import Wire
from tests.wire.test_joint import Recorder
from tests.wire.test_mjpeg import HEAD, OTHER, part

VIDEO = "/api/v1/devices/kitchen-pi/video"


class Written:
    """A request that keeps what is written to it."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """It tells nobody to pause."""

    def unregisterProducer(self) -> None:
        """It is over."""

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.parts.append(data)


class ViewerTests(SynchronousTestCase):
    """``Viewer`` and ``Feed``, without a network."""

    def viewer(self) -> tuple[Viewer, Written]:
        """Somebody who watches."""
        written: Any = Written()
        return Viewer(written, LOCAL, lambda: Deferred()), written

    def test_slow(self) -> None:
        """Who reads slowly misses pictures, and has the newest when they are back; for nothing else is there room."""
        viewer, written = self.viewer()
        viewer.show(b"1")
        viewer.pauseProducing()
        for number in range(2, 100):
            viewer.show(b"%d" % number)
        viewer.resumeProducing()
        viewer.resumeProducing()
        self.assertEqual(written.parts, [f"--{BOUNDARY}\r\n".encode(), b"1", b"99"])

    def test_stuck(self) -> None:
        """Who reads nothing from one look to the next is stuck; who reads something is not."""
        viewer, _ = self.viewer()
        viewer.show(b"1")
        viewer.pauseProducing()
        self.assertFalse(viewer.is_stuck())
        viewer.resumeProducing()
        viewer.pauseProducing()
        self.assertFalse(viewer.is_stuck())
        self.assertTrue(viewer.is_stuck())

    def test_no_picture_comes(self) -> None:
        """A camera that takes too long for a picture is given up, and nothing is left behind."""
        clock: Any = Clock()
        ended: list[None] = []
        feed, (viewer, _) = Feed(clock, VideoOffer(8081), lambda: ended.append(None)), self.viewer()
        feed.add(viewer)
        feed.write(HEAD + part(PICTURE))
        clock.advance(PATIENCE - 1)
        feed.write(part(PICTURE))
        clock.advance(PATIENCE - 1)
        self.assertEqual(ended, [])
        clock.advance(1)
        self.assertEqual((ended, clock.getDelayedCalls()), ([None], []))
        self.successResultOf(viewer.done)


class VideoTests(WebTestCase):
    """The whole way through the server."""

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        self.link, self.attachment = await self.device(hello=replace(HELLO, video=VideoOffer(8081, "/stream")))
        self.link.dials = lambda tunnel: None  # the tests do so themselves
        self.device_side = Recorder()

    async def watch(self, visitor: Visitor) -> Wire:
        """Somebody begins to watch."""
        wire = await self.connect()
        headers = {"Host": f"127.0.0.1:{self.port.getHost().port}", **visitor.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        wire.write(f"GET {VIDEO} HTTP/1.1\r\n{lines}\r\n".encode())
        return wire

    async def dial(self) -> Half:
        """The device dials back for what it was asked."""
        asked: list[Tunnel] = await until(self.reactor, lambda: self.asked(self.link), "no tunnel was asked for")
        [device] = self.center.devices.all()
        return self.center.meet(device.id, asked[-1].id, self.device_side)()

    def asked(self, link: FakeLink) -> list[Tunnel]:
        """The tunnels that the device was asked for."""
        return [message for message in link.sent if isinstance(message, Tunnel)]

    async def test_shared(self) -> None:
        """Two who watch cost the device one stream; who comes later sees the newest picture at once."""
        viewer = await self.user(Role.VIEWER)
        first = await self.watch(viewer)
        far = await self.dial()
        self.assertEqual(self.asked(self.link)[0].port, 8081)
        self.assertIn(b"GET /stream HTTP/1.0", str(self.device_side.done[0]).encode())
        far.received(HEAD + part(OTHER) + part(PICTURE))
        await first.until(PICTURE)
        second = await self.watch(viewer)
        await second.until(PICTURE)
        self.assertNotIn(OTHER, bytes(second.received))
        self.assertIn(b"X-Content-Type-Options: nosniff", bytes(second.received))
        self.assertIn(b"default-src 'none'; sandbox", bytes(second.received))
        self.assertEqual(len(self.asked(self.link)), 1)
        await first.close()
        far.received(part(OTHER))
        await second.until(OTHER)
        await second.close()
        await until(self.reactor, lambda: not self.center.tunnels.sessions(), "the tunnel stays")

    async def test_again(self) -> None:
        """Who comes back when the camera's connection is closed takes the room of the stream before."""
        self.patch(tunnels, "MOST_OF_DEVICE", 1)
        viewer = await self.user(Role.VIEWER)
        for _ in range(2):
            wire = await self.watch(viewer)
            far = await self.dial()
            self.link.sent.clear()
            await wire.close()
            await until(self.reactor, lambda: not self.center.tunnels.sessions(), "the tunnel stays")
            far.lost("closed")

    async def test_refused(self) -> None:
        """Without a camera, and for a device that is gone, it says so."""
        viewer = await self.user(Role.VIEWER)
        await self.device("attic")
        answer = await self.ask("GET", "/api/v1/devices/attic/video", viewer)
        self.assertEqual((answer.status, answer.code()), (404, "no_video"))
        self.attachment.detached("the connection was lost")
        answer = await self.ask("GET", VIDEO, viewer)
        self.assertEqual((answer.status, answer.code()), (409, "tunnel_refused"))

    async def test_signed_out(self) -> None:
        """Who may not watch any more sees nothing more."""
        self.patch(video, "CHECK_EVERY", 0.01)
        viewer = await self.user(Role.VIEWER)
        wire = await self.watch(viewer)
        (await self.dial()).received(HEAD + part(PICTURE))
        await wire.until(PICTURE)
        await self.parts.users.set_password("viewer", "another long password")
        await until(self.reactor, lambda: not self.center.tunnels.sessions(), "it goes on")

    async def test_too_many(self) -> None:
        """So many may watch, and no more."""
        self.patch(video, "MOST_VIEWERS", 1)
        await self.check_full()

    async def test_too_many_of_one(self) -> None:
        """Nobody takes all places."""
        self.patch(video, "MOST_OF_ONE", 1)
        await self.check_full()

    async def test_forged_part(self) -> None:
        """A picture that a browser could take for two parts is none."""
        viewer = await self.user(Role.VIEWER)
        wire = await self.watch(viewer)
        forged = PICTURE[:-2] + f"\r\n--{video.BOUNDARY}\r\nContent-Type: text/html\r\n\r\n".encode() + PICTURE[-2:]
        (await self.dial()).received(HEAD + part(forged))
        await wire.until(b"no picture")

    async def check_full(self) -> None:
        """A second viewer is turned away."""
        viewer = await self.user(Role.VIEWER)
        wire = await self.watch(viewer)
        await self.dial()
        answer = await self.ask("GET", VIDEO, viewer)
        self.assertEqual((answer.status, answer.code()), (429, "too_many_viewers"))
        await wire.close()
        await until(self.reactor, lambda: not self.center.tunnels.sessions(), "the tunnel stays")
