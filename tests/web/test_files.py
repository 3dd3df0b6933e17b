"""Photos and other files, as browsers and programs get them."""

from __future__ import annotations

import hashlib

from twisted.internet.defer import Deferred

from iotcenter.center import files
from iotcenter.center.links import DeviceLink
from iotcenter.center.subscribers import Event, FileEvent, StoredFile
from iotcenter.model import Role
from iotcenter.wire.messages import File
from tests.web.support import WebTestCase
from tests.web.wire import Answer

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 400
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


class FileTests(WebTestCase):
    """What a device sent, behind ``/api/v1/devices/NAME/files``."""

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        _, self.attachment = await self.device()
        self.viewer = await self.program(Role.VIEWER)
        self.operator = await self.program(Role.OPERATOR)

    async def sent(self, content: bytes, name: str = "photo.jpg", media_type: str = "image/jpeg") -> StoredFile:
        """Have the device send a file."""
        return await send_file(self, self.attachment, content, name, media_type)

    async def get(self, kept: StoredFile, **headers: str) -> Answer:
        """The content of a file."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("GET", f"/api/v1/devices/kitchen-pi/files/{kept.id}", self.viewer, headers=named)

    async def test_list(self) -> None:
        """The newest first, page by page; with ``photos``, pictures alone."""
        kept = [await self.sent(content) for content in (JPEG, SVG, JPEG + b"2")]
        first = await self.ask("GET", "/api/v1/devices/kitchen-pi/files?limit=2", self.viewer)
        self.assertEqual([one["id"] for one in first.json()], [kept[2].id, kept[1].id])
        rest = await self.ask("GET", f"/api/v1/devices/kitchen-pi/files?before={kept[1].id}", self.viewer)
        self.assertEqual([one["sha256"] for one in rest.json()], [hashlib.sha256(JPEG).hexdigest()])
        photos = await self.ask("GET", "/api/v1/devices/kitchen-pi/files?photos=true", self.viewer)
        self.assertEqual([one["image"] for one in photos.json()], [True, True])

    async def test_picture(self) -> None:
        """A picture is shown as what it is, in a sandbox, and is asked about again by whoever has it already."""
        self.patch(files, "PIECE", 1000)
        kept = await self.sent(JPEG)
        answer = await self.get(kept)
        self.assertEqual((answer.status, answer.body, answer.header("content-type")), (200, JPEG, "image/jpeg"))
        self.assertIn("sandbox", answer.header("content-security-policy"))
        self.assertEqual(answer.header("x-content-type-options"), "nosniff")
        self.assertEqual(answer.header("cache-control"), "private, no-cache")
        self.assertTrue(answer.header("content-disposition").startswith("inline;"))
        again = await self.get(kept, If_None_Match=answer.header("etag"))
        self.assertEqual((again.status, again.body), (304, b""))

    async def test_everything_else_is_saved(self) -> None:
        """Documents with scripts, whatever their device calls them, are downloads that no browser looks into."""
        for content, media_type in ((SVG, "image/svg+xml"), (b"<!doctype html>", "text/html"), (SVG, "image/png")):
            answer = await self.get(await self.sent(content, "x.svg", media_type))
            self.assertEqual(answer.header("content-type"), "application/octet-stream")
            self.assertTrue(answer.header("content-disposition").startswith("attachment;"))
            self.assertIn("sandbox", answer.header("content-security-policy"))

    async def test_parts(self) -> None:
        """Who asks for a part gets it, so that a download goes on after a break and a player finds the middle."""
        content = JPEG + bytes(range(256)) * 1000
        kept = await self.sent(content)
        path, size = f"/api/v1/devices/kitchen-pi/files/{kept.id}", len(content)
        tag = (await self.get(kept)).header("etag")
        for wanted, start, stop in (
            ("bytes=0-0", 0, 1),
            ("bytes=100000-", 100_000, size),
            ("bytes=-5", size - 5, size),
            (f"bytes=7-{size + 9}", 7, size),
        ):
            for more in ({}, {"If-Range": tag}):
                answer = await self.ask("GET", path, self.viewer, headers={"Range": wanted, **more})
                self.assertEqual((answer.status, answer.body), (206, content[start:stop]), wanted)
                self.assertEqual(answer.header("content-range"), f"bytes {start}-{stop - 1}/{size}")
                self.assertEqual(answer.header("content-length"), str(stop - start))

    async def test_parts_that_there_are_not(self) -> None:
        """A part behind the end is refused; what is malformed, many parts, or of another state gives the whole."""
        kept = await self.sent(JPEG)
        path = f"/api/v1/devices/kitchen-pi/files/{kept.id}"
        for wanted in (f"bytes={len(JPEG)}-", f"bytes={10**15}-"):
            answer = await self.ask("GET", path, self.viewer, headers={"Range": wanted})
            self.assertEqual((answer.status, answer.header("content-range")), (416, f"bytes */{len(JPEG)}"), wanted)
        whole = ("bytes=2-1", "bytes=a-b", "bytes=", "lines=0-1", "bytes=0-0,2-3", "bytes=" + "9" * 5000 + "-", "0-1")
        for headers in (*({"Range": each} for each in whole), {"Range": "bytes=0-0", "If-Range": '"other"'}):
            answer = await self.ask("GET", path, self.viewer, headers=headers)
            self.assertEqual((answer.status, answer.body), (200, JPEG), headers)

    async def test_names_in_headers(self) -> None:
        """A name breaks out of no header."""
        for name in ('a"; filename="b.html', "ä\u202e%s.jpg", "x\r\nSet-Cookie: a=b"):
            answer = await self.get(await self.sent(JPEG, name))
            self.assertRegex(
                answer.header("content-disposition"), r"""^inline; filename="[^"\\]*"; filename\*=UTF-8''[\w%.~-]*$"""
            )
            self.assertNotIn("set-cookie", answer.headers)

    async def test_roles(self) -> None:
        """Viewers look, operators delete and say how many are kept; strangers get nothing."""
        kept = await self.sent(JPEG)
        path = f"/api/v1/devices/kitchen-pi/files/{kept.id}"
        self.assertEqual((await self.ask("GET", path)).status, 401)
        self.assertEqual((await self.ask("DELETE", path, self.viewer)).status, 403)
        keep = {"keep": 1}
        self.assertEqual(
            (await self.ask("PATCH", "/api/v1/devices/kitchen-pi/files", self.viewer, json=keep)).status, 403
        )
        self.assertEqual(
            (await self.ask("PATCH", "/api/v1/devices/kitchen-pi/files", self.operator, json=keep)).status, 204
        )
        self.assertEqual((await self.ask("DELETE", path, self.operator)).status, 204)
        self.assertEqual((await self.get(kept)).status, 404)

    async def test_nothing_there(self) -> None:
        """Other devices' files, numbers of nobody, and paths that lead elsewhere are not found."""
        kept = await self.sent(JPEG)
        await self.device("garden")
        for path in (
            f"devices/garden/files/{kept.id}",
            "devices/kitchen-pi/files/999",
            "devices/kitchen-pi/files/9223372036854775808",
            "devices/kitchen-pi/files/..%2F..%2Fiotcenter.db",
            "devices/kitchen-pi/files/-1",
        ):
            self.assertEqual((await self.ask("GET", f"/api/v1/{path}", self.viewer)).status, 404, path)

    async def test_content_that_is_gone(self) -> None:
        """A file that somebody took out of the folder is not found, and fails nothing else."""
        kept = await self.sent(JPEG)
        for path in (self.directory / "files").iterdir():
            path.unlink()
        answer = await self.get(kept)
        self.assertEqual((answer.status, answer.json()["error"]["code"]), (404, "not_found"))


async def send_file(
    case: WebTestCase,
    attachment: DeviceLink,
    content: bytes,
    name: str = "photo.jpg",
    media_type: str = "image/jpeg",
    command: int = 0,
) -> StoredFile:
    """Have a device send a file, and wait until it is kept."""
    came: Deferred[StoredFile] = Deferred()

    def tell(event: Event) -> None:
        if isinstance(event, FileEvent):
            came.callback(event.file)

    end = case.center.subscribers.subscribe(tell)
    number = len(await case.center.files.recent(None)) + 1
    digest = hashlib.sha256(content).digest()
    attachment.received(File(number, name, media_type, len(content), 0, content, digest, 0.0, command))
    try:
        return await came
    finally:
        end()
