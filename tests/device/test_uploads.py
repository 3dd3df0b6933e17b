"""Files on their way to the server: from the application to disk, and from there piece by piece."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from iotcenter.wire.messages import MAX_CHUNK, File, FileAck, FileState
from iotdevice import App, Upload, UploadError, upload_queue
from iotdevice.config import UploadSettings
from iotdevice.health import Health
from iotdevice.pace import FIRST, LEAST, Pace
from iotdevice.upload_queue import UploadQueue
from iotdevice.uploads import ANSWER_WITHIN, LOOK_AGAIN, TRIES, Uploads
from tests.device.support import START, Bench, Case, FakeChannel, InlineRuns

PHOTO = b"\xff\xd8\xff" + bytes(100_000)
LIMIT = 20_000_000


class AtOnce:
    """Calls from threads come at once."""

    def callFromThread(self, function: Any, *arguments: Any) -> None:
        """Call ``function`` now."""
        function(*arguments)


class UploadCase(Case):
    """An application, a queue on disk, and a link in the test's hand."""

    def setUp(self) -> None:
        self.folder_of_queue = self.folder()
        self.held = False
        self.begin()

    def begin(self, megabytes: int = 1, obstacle: str = "") -> None:
        """Start the agent, maybe again."""
        self.bench = Bench()
        self.app = App()
        self.channel = FakeChannel()
        stage = self.bench.stage(InlineRuns(), Health(lambda: None))
        queue = UploadQueue(self.folder_of_queue, UploadSettings(megabytes))
        reactor: Any = AtOnce()
        self.uploads = Uploads(queue, stage, reactor, lambda: self.held, obstacle)
        self.uploads.start()
        self.uploads.serve(self.app)

    def connect(self) -> None:
        """The server takes the device in."""
        self.channel = FakeChannel()
        self.uploads.allowed(LIMIT)
        self.uploads.connected(self.channel)

    def last(self) -> File:
        """The newest piece that was sent."""
        return self.channel.of(File)[-1]

    def answer(self, state: FileState, offset: int = 0, **more: Any) -> None:
        """The server answers the newest piece."""
        self.uploads.acknowledged(FileAck(self.last().id, state, offset, **more))

    def take_all(self) -> bytes:
        """Take a file in as a server does; what came."""
        came = b""
        while len(came) < self.last().size:
            self.answer(FileState.WANTED, len(came))
            came += self.last().data
        self.answer(FileState.STORED)
        return came

    def waiting(self) -> list[str]:
        """What waits on disk."""
        return sorted(path.name for path in self.folder_of_queue.iterdir())


class SendingTests(UploadCase):
    """From the application to the server."""

    def test_a_photo(self) -> None:
        """It is asked about, sent in pieces that follow on one another, and forgotten when the server has it."""
        upload = self.app.upload(PHOTO, "image/jpeg")
        self.assertEqual(self.waiting(), ["000000000001"])
        self.connect()
        asked = self.last()
        self.assertEqual(
            (asked.name, asked.media_type, asked.size, asked.data), ("photo.jpg", "image/jpeg", len(PHOTO), b"")
        )
        self.assertEqual((asked.digest, asked.time), (hashlib.sha256(PHOTO).digest(), START))
        self.assertFalse(upload.wait(0))
        self.assertEqual(self.take_all(), PHOTO)
        self.assertTrue(upload.wait(0))
        self.assertEqual(self.waiting(), [])
        self.assertTrue(all(len(piece.data) <= MAX_CHUNK for piece in self.channel.of(File)))

    def test_a_path(self) -> None:
        """A file is copied when it is handed in: what becomes of it afterwards does not matter."""
        path = self.folder() / "log of today.txt"
        path.write_bytes(b"all is well")
        self.app.upload(path)
        path.unlink()
        self.connect()
        self.assertEqual((self.last().name, self.last().media_type), ("log of today.txt", "text/plain"))
        self.assertEqual(self.take_all(), b"all is well")

    def test_await(self) -> None:
        """An async function can wait until it is there, or hear why it never will be."""

        async def send(content: bytes) -> None:
            await self.app.upload(content)

        self.connect()
        good = Deferred.fromCoroutine(send(b"good"))
        self.assertNoResult(good)
        self.take_all()
        self.assertIsNone(self.successResultOf(good))
        bad = Deferred.fromCoroutine(send(b"bad"))
        self.answer(FileState.REFUSED, reason="too many")
        self.assertIn("the server refuses it: too many", str(self.failureResultOf(bad, UploadError).value))

    def test_one_after_the_other(self) -> None:
        """In the order in which they were handed in, one piece at a time."""
        for number in range(3):
            self.app.upload(b"%d" % number)
        self.connect()
        self.assertEqual(len(self.channel.of(File)), 1)
        self.assertEqual([self.take_all() for _ in range(3)], [b"0", b"1", b"2"])

    def test_busy(self) -> None:
        """A server that cannot take it now is asked again when it says."""
        self.app.upload(PHOTO)
        self.connect()
        self.answer(FileState.BUSY, retry=60.0)
        self.assertEqual(len(self.channel.of(File)), 1)
        self.bench.steady.advance(60)
        self.assertEqual(len(self.channel.of(File)), 2)
        self.assertEqual(self.take_all(), PHOTO)

    def test_no_answer(self) -> None:
        """A piece that nobody answers is asked about."""
        self.app.upload(PHOTO)
        self.connect()
        self.bench.steady.advance(ANSWER_WITHIN)
        self.assertEqual([piece.data for piece in self.channel.of(File)], [b"", b""])

    def test_never_the_same(self) -> None:
        """A file that arrives as something else again and again is given up, and the next one has its turn."""
        bad = self.app.upload(PHOTO)
        self.app.upload(b"next")
        self.connect()
        for _ in range(TRIES + 1):
            self.answer(FileState.WANTED, 0, reason="not what was sent")
            self.answer(FileState.WANTED, 50_000)
        self.assertRaises(UploadError, bad.wait, 0)
        self.assertEqual(self.take_all(), b"next")

    def test_made_way(self) -> None:
        """A file that only made way for those of others is sent from its beginning as often as it takes."""
        self.app.upload(PHOTO)
        self.connect()
        for _ in range(TRIES + 1):
            self.answer(FileState.WANTED, 0)
            self.answer(FileState.WANTED, 50_000)
        self.assertEqual(self.take_all(), PHOTO)


class ReadingsFirstTests(UploadCase):
    """An upload holds up no reading."""

    def test_held(self) -> None:
        """While readings wait no piece is sent; then it goes on."""
        self.app.upload(PHOTO)
        self.held = True
        self.connect()
        self.assertEqual(self.channel.sent, [])
        self.held = False
        self.bench.steady.advance(LOOK_AGAIN)
        self.assertEqual(len(self.channel.of(File)), 1)

    def test_a_full_link(self) -> None:
        """A link that takes no more gets no piece until it does."""
        self.app.upload(PHOTO)
        self.channel.writable = False
        self.uploads.allowed(LIMIT)
        self.uploads.connected(self.channel)
        self.assertEqual(self.channel.sent, [])
        self.channel.writable = True
        self.uploads.writable()
        self.assertEqual(len(self.channel.of(File)), 1)

    def test_size_of_pieces(self) -> None:
        """On a quick link pieces grow, on a slow one they shrink; a long way alone does not make them small."""
        quick, slow, far = Pace(), Pace(), Pace()
        for _ in range(20):
            quick.took(0.01)
            far.took(1.2)
        slow.took(0.1)
        for _ in range(20):
            slow.took(3.0)
        self.assertEqual((quick.size, slow.size, far.size), (MAX_CHUNK, LEAST, MAX_CHUNK))
        self.assertGreater(FIRST, LEAST)


class BreakTests(UploadCase):
    """Links break, and agents start again."""

    def test_a_new_link(self) -> None:
        """It goes on where the server says."""
        self.app.upload(PHOTO)
        self.connect()
        self.answer(FileState.WANTED, 0)
        self.uploads.disconnected()
        self.connect()
        self.assertEqual(self.last().data, b"")
        self.answer(FileState.WANTED, 90_000)
        self.assertEqual((self.last().offset, self.last().data[:1]), (90_000, b"\0"))

    def test_a_new_start(self) -> None:
        """What waits is sent after a restart, under the number that the server knows."""
        self.app.upload(PHOTO, name="door.jpg")
        self.connect()
        before = self.last()
        self.begin()
        self.connect()
        self.assertEqual(self.last(), before)
        self.app.upload(b"later")
        self.assertEqual([self.take_all(), self.take_all()], [PHOTO, b"later"])

    def test_any_number(self) -> None:
        """However many were sent before, the one that waits is found again: its number may end with a zero byte."""
        for place in (1, 255, 256, 65536):
            queue = UploadQueue(self.folder(), UploadSettings())
            queue._next = place
            kept = queue.put(Upload(b"first"), START)
            self.assertEqual((kept.place, queue.load()), (place, [kept]))

    def test_half_written(self) -> None:
        """What a power cut left of a file that was being written is no file."""
        self.app.upload(PHOTO)
        [whole] = self.waiting()
        content = (self.folder_of_queue / whole).read_bytes()
        for name, left in (("000000000002", content[:-1]), ("000000000003", b"\xc1"), (".new", content)):
            (self.folder_of_queue / name).write_bytes(left)
        self.begin()
        self.assertEqual(self.waiting(), [whole])

    def test_damaged(self) -> None:
        """A file whose description was damaged on the disk is lost, and keeps no other from being sent."""
        for content in (b"first", b"second", PHOTO):
            self.app.upload(content, name="door.jpg")
        first, second, whole = self.waiting()
        for name, before, after in ((first, b"door", b"d\xff\xfer"), (second, b"\x98", b"\x98" + b"\x91" * 4000)):
            path = self.folder_of_queue / name
            path.write_bytes(path.read_bytes().replace(before, after, 1))
        self.begin()
        self.assertEqual(self.waiting(), [whole])
        self.connect()
        self.assertEqual(self.take_all(), PHOTO)

    def test_what_is_no_file(self) -> None:
        """A folder, or a pipe, which nobody would ever read, is left alone: the files around it are sent."""
        self.app.upload(PHOTO)
        (self.folder_of_queue / "000000000002").mkdir()
        os.mkfifo(self.folder_of_queue / "000000000003")
        self.begin()
        self.connect()
        self.assertEqual(self.take_all(), PHOTO)
        self.assertEqual(self.waiting(), ["000000000002", "000000000003"])

    def test_a_server_without_files(self) -> None:
        """They wait for one that takes them, and the log says so."""
        self.app.upload(PHOTO)
        self.uploads.allowed(0)
        self.uploads.connected(self.channel)
        self.assertEqual(self.channel.sent, [])
        self.assertIn("the server takes no files", self.bench.log.lines[-1])
        self.uploads.disconnected()
        self.connect()
        self.assertEqual(self.take_all(), PHOTO)


class BoundTests(UploadCase):
    """What a device cannot send, and cannot keep."""

    def test_the_oldest_make_way(self) -> None:
        """Beyond the room that there is for them; who waits for one is told."""
        uploads = [self.app.upload(bytes([1]) * 400_000) for _ in range(3)]
        self.assertEqual(len(self.waiting()), 2)
        self.assertRaises(UploadError, uploads[0].wait, 0)
        self.assertFalse(uploads[1].wait(0))

    def refused(self, content: bytes | Path) -> str:
        """Why it cannot be sent."""
        upload = self.app.upload(content)
        error = self.assertRaises(UploadError, upload.wait, 0)
        self.assertEqual(self.waiting(), [])
        return str(error)

    def test_refusals(self) -> None:
        """Too large, empty, not there: the reason is for people, and in the device's log."""
        self.assertIn("too large: there is room for 1000000 bytes", self.refused(bytes(1_000_001)))
        self.assertEqual("file.bin is empty", self.refused(b""))
        self.assertIn("missing.jpg cannot be kept: No such file", self.refused(Path("missing.jpg")))
        self.assertIn("missing.jpg", self.bench.log.lines[-1])

    def test_disk_nearly_full(self) -> None:
        """Readings, and the machine, need the last of the disk."""
        self.patch(upload_queue, "RESERVE", 2**62)
        self.assertIn("there is room for 0 bytes", self.refused(PHOTO))

    def test_a_queue_that_cannot_be_read(self) -> None:
        """Nothing is put over what may wait there from an earlier start."""
        queue = UploadQueue(self.folder(), UploadSettings())
        error = self.assertRaises(UploadError, queue.put, Upload(b"x"), START)
        self.assertIn("what waits to be sent could not be read", str(error))

    def test_over_udp(self) -> None:
        """It says what is needed."""
        self.begin(obstacle="uploads need TLS")
        self.assertEqual(self.refused(PHOTO), "uploads need TLS")

    def test_too_many_at_once(self) -> None:
        """An application that hands in faster than the disk writes hears of it: nothing piles up in memory."""
        app = App()
        with self.assertRaises(UploadError):
            for _ in range(100):
                app.upload(b"x")

    def test_wrong_types(self) -> None:
        """What is neither bytes nor a path is a mistake in the application."""
        wrong: Any = 3.5
        self.assertRaises(TypeError, Upload, wrong)
