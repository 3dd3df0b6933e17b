"""The files that devices send: what is taken, what is refused, and what is kept."""

from __future__ import annotations

import hashlib
from typing import Any

from msgspec.structs import replace

from iotcenter.center import files
from iotcenter.center.center import Center
from iotcenter.center.subscribers import FileEvent, StoredFile
from iotcenter.model import Photo
from iotcenter.storage import file_rows, unfinished
from iotcenter.storage import files as stored_files
from iotcenter.storage.errors import DiskFull, NotFound
from iotcenter.storage.file_rows import FileLimits
from iotcenter.wire.codec import decode, encode
from iotcenter.wire.errors import WireError
from iotcenter.wire.messages import File, FileAck, FileState, Welcome
from tests.center.support import NOW, CenterTestCase, TestLink

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40


def file(content: bytes = JPEG, id: int = 7, name: str = "garden.jpg", media_type: str = "image/jpeg") -> File:
    """A file as its device asks about it, before it sends any of it."""
    return File(id, name, media_type, len(content), 0, b"", hashlib.sha256(content).digest(), NOW - 60.0)


def pieces(message: File, content: bytes = JPEG, size: int = 4096) -> list[File]:
    """The same in pieces."""
    return [replace(message, offset=at, data=content[at : at + size]) for at in range(0, len(content), size)]


class FilesCase(CenterTestCase):
    """Sends files as a device does."""

    async def say(self, message: File, link: TestLink | None = None) -> FileAck:
        """Send one message; the answer."""
        if link is None:
            link, self.attachment = self.join()
        answer = link.next(FileAck)
        self.attachment.received(message)
        return await answer

    async def send(self, content: bytes = JPEG, **about: Any) -> FileAck:
        """Send a whole file; the last answer."""
        link, self.attachment = self.join()
        message = file(content, **about)
        answer = await self.say(message, link)
        for piece in pieces(message, content):
            if answer.state is FileState.WANTED:
                answer = await self.say(piece, link)
        return answer

    async def content(self, kept: StoredFile) -> bytes:
        """What is kept of a file."""
        return await self.center.files.read(await self.center.files.get("kitchen-pi", kept.id), 0)

    def on_disk(self) -> list[str]:
        """The names in the folder, unfinished ones too."""
        return sorted(path.name for path in (self.directory / "files").iterdir())

    def limit(self, **limits: int) -> None:
        """Have other limits."""
        self.center.files.limits = replace(FileLimits(), **limits)


class TakingTests(FilesCase):
    """A file's way in."""

    async def test_a_photo(self) -> None:
        """It is answered piece by piece, is kept with what is known of it, and everybody is told."""
        link, self.attachment = self.join()
        self.assertEqual(link.of(Welcome)[0].files, FileLimits().size)
        answers = [await self.say(piece, link) for piece in [file(), *pieces(file())]]
        self.assertEqual(
            [(answer.state, answer.offset) for answer in answers[:3]], [("wanted", at) for at in (0, 4096, 8192)]
        )
        self.assertIs(answers[-1].state, FileState.STORED)
        [event] = self.told(FileEvent)
        self.assertEqual(await self.center.files.recent("kitchen-pi"), (event.file,))
        self.assertEqual(
            (event.file.name, event.file.media_type, event.file.image, event.file.size, event.file.time),
            ("garden.jpg", "image/jpeg", True, len(JPEG), NOW - 60.0),
        )
        self.assertEqual(await self.content(event.file), JPEG)
        self.assertEqual(self.center.devices.get("kitchen-pi").photo, Photo(event.file.id, NOW - 60.0))

    async def test_goes_on_after_a_break(self) -> None:
        """Over a new link, and after a restart of the server, the device is asked for what is missing alone."""
        link, self.attachment = self.join()
        await self.say(file(), link)
        await self.say(pieces(file())[0], link)
        self.assertEqual((await self.say(file())).offset, 4096)
        self.center.stop()
        await self.store.close()
        from twisted.internet import reactor

        self.store = type(self.store)(self.directory, reactor)
        self.store.open()
        await self.open_center()
        link, self.attachment = self.join()
        self.assertEqual((await self.say(file(), link)).offset, 4096)
        answers = [await self.say(piece, link) for piece in pieces(file())[1:]]
        self.assertIs(answers[-1].state, FileState.STORED)
        self.assertEqual(await self.content(self.told(FileEvent)[0].file), JPEG)

    async def test_comes_again(self) -> None:
        """One whose last answer was lost is known again, and there is still one of it."""
        await self.send()
        self.assertIs((await self.say(file())).state, FileState.STORED)
        self.assertEqual(len(await self.center.files.recent("kitchen-pi")), 1)

    async def test_out_of_order(self) -> None:
        """A piece that is not the next one changes nothing: the answer says which is."""
        link, self.attachment = self.join()
        first, second, *_ = pieces(file())
        self.assertEqual((await self.say(second, link)).offset, 0)
        self.assertEqual((await self.say(first, link)).offset, 4096)
        self.assertEqual((await self.say(first, link)).offset, 4096)

    async def test_damage_is_found(self) -> None:
        """Content that is not what its SHA-256 says has to come anew; nothing of it is kept."""
        message = replace(file(), digest=bytes(32))
        link, self.attachment = self.join()
        answers = [await self.say(piece, link) for piece in pieces(message)]
        self.assertEqual((answers[-1].state, answers[-1].offset), (FileState.WANTED, 0))
        self.assertEqual((self.on_disk(), self.told(FileEvent)), ([], []))

    async def test_a_size_that_shrinks(self) -> None:
        """A device cannot have a large file counted as a small one by changing its mind about the size."""
        link, self.attachment = self.join()
        for piece in pieces(file())[:-1]:
            await self.say(piece, link)
        sent = JPEG[: pieces(file())[-1].offset]
        lie = replace(file(), size=1, offset=0, digest=hashlib.sha256(sent).digest())
        self.assertEqual((await self.say(lie, link)).offset, 0)
        self.assertEqual(self.on_disk(), [])

    async def test_one_piece_at_a_time(self) -> None:
        """A device that does not wait for the answer is told to."""
        link, self.attachment = self.join()
        self.attachment.received(file())
        self.attachment.received(pieces(file())[0])
        [early] = link.of(FileAck)
        self.assertEqual((early.state, early.retry), (FileState.BUSY, files.SOON))
        await link.next(FileAck)


class RefusingTests(FilesCase):
    """What hostile and broken devices send."""

    async def refusal(self, message: File) -> str:
        """Why it is refused; nothing is left on disk."""
        answer = await self.say(message)
        self.assertIs(answer.state, FileState.REFUSED)
        self.assertEqual(self.on_disk(), [])
        return answer.reason

    async def test_sizes(self) -> None:
        """Nothing, too much, and numbers beyond all disks are refused with the limit, before any of it came."""
        for size in (0, 20_000_001, 2**32, 2**63 - 1):
            self.assertIn("this server takes 1 to 20000000", await self.refusal(replace(file(), size=size)))
        self.limit(size=0)
        self.assertEqual(await self.refusal(file()), "this server takes no files")

    async def test_beyond_the_end(self) -> None:
        """A piece that goes beyond the end of the file ends it."""
        link, self.attachment = self.join()
        await self.say(pieces(file())[0], link)
        for wrong in (replace(file(), offset=len(JPEG), data=b"x"), replace(file(), offset=2**62, data=b"x")):
            self.assertEqual(await self.refusal(wrong), "a piece goes beyond the end of the file")

    async def test_no_digest(self) -> None:
        """Without a SHA-256 nobody could tell whether all came as it was sent."""
        self.assertEqual(await self.refusal(replace(file(), digest=b"x")), "it comes without its SHA-256")

    def test_not_a_message(self) -> None:
        """A name of a megabyte, or a piece that is too large, is no message at all."""
        for wrong in (replace(file(), name="x" * 2**20), replace(file(), data=bytes(128 * 1024 + 1))):
            self.assertRaises(WireError, decode, encode(wrong))

    async def test_names(self) -> None:
        """A name is shown, and nothing else: no folders, nothing unseen, nothing that turns text around."""
        hostile = {
            "../../etc/passwd": "passwd",
            "C:\\Windows\\evil.exe": "evil.exe",
            "photo\u202egpj.exe": "photogpj.exe",
            "a\x00b\nc\x1b[31m": "abc[31m",
            "<script>alert(1)</script>.jpg": "script>.jpg",
            "..": "file",
            "": "file",
            "x" * 255: "x" * 100,
        }
        for number, (name, shown) in enumerate(hostile.items()):
            await self.send(id=100 + number, name=name, media_type="text/html\r\nX: y")
            newest = (await self.center.files.recent("kitchen-pi", 1))[0]
            self.assertEqual(newest.name, shown)
        self.assertTrue(all(name.isalnum() and len(name) == 32 for name in self.on_disk()))

    async def test_what_is_a_picture(self) -> None:
        """That is decided by the content: a document with a script in it is none, whatever its device says."""
        svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
        cases = {
            svg: False,
            b"<!doctype html><script>": False,
            b"GIF89a" + bytes(20): True,
            b"\x89PNG\r\n\x1a\n1": True,
        }
        cases |= {b"RIFF\0\0\0\0WEBPVP8 ": True, b"RIFF\0\0\0\0WAVEfmt ": False, b"%PDF-1.7": False, b" GIF89a": False}
        for number, (content, picture) in enumerate(cases.items()):
            await self.send(content, id=number, media_type="image/svg+xml" if content is svg else "image/png")
            newest = (await self.center.files.recent("kitchen-pi", 1))[0]
            self.assertEqual(newest.image, picture, content)

    async def test_many_unfinished(self) -> None:
        """A device has one file under way: thousands that it begins leave one part."""
        link, self.attachment = self.join()
        for number in range(200):
            await self.say(pieces(file(id=number))[0], link)
        self.assertEqual(len(self.on_disk()), 1)

    async def test_many_devices(self) -> None:
        """Of all devices only so many have one under way; another waits until one of them is done, or stops."""
        self.patch(unfinished, "MOST", 2)
        states = []
        for name in ("a", "b", "c"):
            self.device = (await self.accounts.add(name, "tls", "ann")).id
            states.append((await self.say(file())).state)
        self.assertEqual(states, ["wanted", "wanted", "busy"])
        self.clock.advance(unfinished.IN_USE + 1)
        self.assertIs((await self.say(file())).state, FileState.WANTED)

    async def test_disk_nearly_full(self) -> None:
        """Readings need the last of the disk: a file waits on its device until there is room."""
        self.patch(stored_files, "RESERVE", 2**62)
        answer = await self.say(file())
        self.assertEqual((answer.state, answer.retry), (FileState.BUSY, files.LATER))
        self.assertIn("disk is nearly full", answer.reason)

    async def test_disk_fills_up_meanwhile(self) -> None:
        """So does one that had begun: others have begun theirs as well. Then it goes on where it was."""
        link, self.attachment = self.join()
        first, second, _ = pieces(file())
        await self.say(first, link)
        self.patch(stored_files, "RESERVE", 2**62)
        self.assertIs((await self.say(second, link)).state, FileState.BUSY)
        self.patch(stored_files, "RESERVE", 0)
        self.assertEqual((await self.say(second, link)).offset, 8192)


class KeepingTests(FilesCase):
    """What is kept, and for how long."""

    async def names(self) -> list[str]:
        """What there is, newest first; on disk there is as much."""
        found = [file.name for file in await self.center.files.recent(None)]
        self.assertEqual(len(self.on_disk()), len(found))
        return found

    async def send_some(self, count: int, first: int = 0) -> None:
        """Send files that are called by their numbers."""
        for number in range(first, first + count):
            await self.send(id=number, name=str(number))

    async def test_limits_of_a_device(self) -> None:
        """By number and by bytes: the oldest make way."""
        self.limit(count=3)
        await self.send_some(5)
        self.assertEqual(await self.names(), ["4", "3", "2"])
        self.limit(bytes=2 * len(JPEG))
        await self.send_some(1, 5)
        self.assertEqual(await self.names(), ["5", "4"])

    async def test_limit_of_all(self) -> None:
        """Whoever has most makes way: one device cannot drive out another's only photo."""
        self.limit(total=3 * len(JPEG))
        await self.send(id=1, name="kitchen")
        self.device = (await self.accounts.add("greedy", "tls", "ann")).id
        await self.send_some(5)
        self.assertEqual(await self.names(), ["4", "3", "kitchen"])

    async def test_many_make_way(self) -> None:
        """So it is where many have to go at once, such as after the limit was lowered: each keeps as much."""
        await self.send_some(3)
        self.device = (await self.accounts.add("greedy", "tls", "ann")).id
        await self.send_some(6, 3)
        self.limit(total=4 * len(JPEG))
        await self.send_some(1, 9)
        self.assertEqual(await self.names(), ["9", "8", "2", "1"])

    async def test_most_of_all(self) -> None:
        """So it is where there are too many, however small: they are summed up each time that one is added."""
        self.patch(file_rows, "MOST_FILES", 3)
        await self.send(id=1, name="kitchen")
        self.device = (await self.accounts.add("greedy", "tls", "ann")).id
        await self.send_some(4)
        self.assertEqual(await self.names(), ["3", "2", "kitchen"])

    async def test_keep_fewer(self) -> None:
        """A device's own limit holds at once, and from then on."""
        await self.send_some(4)
        await self.center.files.keep("kitchen-pi", 2, "ann")
        self.assertEqual(await self.names(), ["3", "2"])
        await self.send_some(1, 4)
        self.assertEqual(await self.names(), ["4", "3"])
        self.assertEqual((await self.center.files.used("kitchen-pi")).keep, 2)

    async def test_delete(self) -> None:
        """A file that is deleted is gone from disk, and the newest photo is the one before it."""
        await self.send_some(2)
        newest, older = await self.center.files.recent("kitchen-pi")
        await self.center.files.remove("kitchen-pi", newest.id, "ann")
        self.assertEqual(await self.names(), ["0"])
        self.assertEqual(self.center.devices.get("kitchen-pi").photo, Photo(older.id, older.time))
        with self.assertRaises(NotFound):
            await self.center.files.get("kitchen-pi", newest.id)

    async def test_rename_and_remove_the_device(self) -> None:
        """Files stay with a device that is renamed, and go with one that is removed, its unfinished one too."""
        await self.send_some(1)
        await self.center.devices.rename("kitchen-pi", "cellar-pi", "ann")
        self.assertEqual([one.device for one in await self.center.files.recent("cellar-pi")], ["cellar-pi"])
        await self.say(file(id=99))
        await self.center.devices.remove("cellar-pi", "ann")
        await self.store.files._sweep()
        self.assertEqual(await self.names(), [])

    async def test_after_a_crash(self) -> None:
        """Content without a row, as a crash leaves it, is deleted; the rest stays, as does the newest photo."""
        await self.send_some(1)
        (self.directory / "files" / "0123").write_bytes(b"x")
        await self.store.files._sweep()
        self.assertEqual(await self.names(), ["0"])
        again = Center(self.store, self.accounts, self.clock)
        await again.load()
        self.assertIsNotNone(again.devices.get("kitchen-pi").photo)

    async def test_database_fails(self) -> None:
        """A file that cannot be entered is not there, leaves nothing on disk, and comes again when its device asks."""

        def fail(*_: Any, **__: Any) -> Any:
            raise DiskFull

        entering = self.patch(file_rows, "add_file", fail)
        answer = await self.send()
        self.assertEqual((answer.state, answer.retry), (FileState.BUSY, files.LATER))
        await self.store.files._sweep()
        self.assertEqual(self.on_disk(), [])
        entering.restore()
        self.assertIs((await self.send()).state, FileState.STORED)

    async def test_links_are_not_followed(self) -> None:
        """Whoever could put a link in the folder reads nothing through it."""
        await self.send_some(1)
        [kept] = await self.center.files.recent("kitchen-pi")
        path = self.directory / "files" / self.on_disk()[0]
        path.unlink()
        path.symlink_to("/etc/passwd")
        with self.assertRaises(Exception) as caught:
            await self.content(kept)
        self.assertIn("ELOOP", str(caught.exception))
