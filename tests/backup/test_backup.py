"""Backups of a data directory, and what comes of them."""

from __future__ import annotations

import gzip
import os
import sqlite3
import time
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from iotcenter.backup import age
from iotcenter.backup.archive import ArchiveWriter
from iotcenter.backup.errors import BackupError, WrongPassphrase
from iotcenter.backup.format import ABOUT, Missing
from iotcenter.backup.making import Made, make_backup
from iotcenter.backup.restoring import Restored, restore_backup
from iotcenter.backup.workspace import WORKSPACE
from iotcenter.model import CommandState, Reading, Role
from iotcenter.storage.accounts import UserRow
from iotcenter.storage.errors import StorageError
from iotcenter.storage.lock import UNFINISHED, DataLock, Locked, Unfinished
from iotcenter.storage.restored import COMMANDS_SINCE
from iotcenter.storage.store import FILE, INBOX, Store
from iotcenter.wire.codec import encode
from iotcenter.wire.messages import Report
from tests.storage.support import KITCHEN, NOW

SECRET = "correct horse"


class BackupCase(TestCase):
    """A test with a data directory that a server has open."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Put something into everything."""
        self.patch(age, "WORK", 1)
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.directory, self.target = self.folder / "data", self.folder / "backup"
        self.lock = DataLock.acquire(self.directory)
        self.store = self.opened(self.directory)
        for name, content in (("authority/root.key", b"key"), ("files/1/2.jpg", b"photo"), ("log/server.log", b"log")):
            (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / name).write_bytes(content)
        await self.store.devices.add(KITCHEN, "kitchen", "tls", NOW)
        await self.report(1, 100)

    def opened(self, directory: Path) -> Store:
        """A server's storage."""
        from twisted.internet import reactor

        store = Store(directory, reactor)
        store.open()
        store.readings.start()
        self.addCleanup(store.close)
        return store

    async def report(self, first: int, count: int, store: Store | None = None) -> None:
        """The device reports numbers."""
        store = store or self.store
        stored: Deferred[StorageError | None] = Deferred()
        readings = tuple(Reading("number", float(number), NOW + number) for number in range(first, first + count))
        store.readings.append(KITCHEN, NOW, [encode(Report(1, first, readings, NOW))], stored.callback)
        self.assertIsNone(await stored)
        await store.readings.settled()

    async def make(self, **more: Any) -> Made:
        """Make a backup, in a thread, as a process of its own would."""
        return await deferToThread(make_backup, self.directory, self.target, **more)

    async def restore(self, name: str = "restored", **more: Any) -> Restored:
        """Restore it into another directory."""
        return await deferToThread(restore_backup, self.target, self.folder / name, **more)

    def count(self, directory: Path) -> int:
        """How many readings a database has."""
        connection = sqlite3.connect(directory / FILE)
        try:
            return int(connection.execute("SELECT count(*) FROM reading").fetchone()[0])
        finally:
            connection.close()


class MakingTests(BackupCase):
    """Making a backup."""

    async def test_all_of_it(self) -> None:
        """All that the server keeps is in it, and what belongs to this machine alone is not; it is its owner's."""
        made = await self.make()
        self.assertEqual((made.devices, made.received, made.encrypted), (1, 100, False))
        self.assertEqual(self.target.stat().st_mode & 0o777, 0o600)
        await self.restore()
        found = {str(path.relative_to(self.folder / "restored")) for path in (self.folder / "restored").rglob("*.*")}
        self.assertEqual(
            {name for name in found if not name.startswith(INBOX)}, {FILE, "authority/root.key", "files/1/2.jpg"}
        )
        self.assertEqual(self.count(self.folder / "restored"), 100)
        self.assertEqual(self.left(), [])

    async def test_files(self) -> None:
        """Files of devices are in it; what has not come whole is not, since its device has all of it."""
        files = self.directory / "files"
        (files / ("0" * 32)).write_bytes(b"photo")
        (files / f".{KITCHEN}-1").write_bytes(b"pho")
        await self.make()
        await self.restore()
        restored = {path.name: path for path in (self.folder / "restored" / "files").iterdir() if path.is_file()}
        self.assertEqual(list(restored), ["0" * 32])
        self.assertEqual(restored["0" * 32].read_bytes(), b"photo")

    async def test_deleted_meanwhile(self) -> None:
        """A photo that makes way for a newer one while the backup is made is not in it, and does no harm."""
        photo = self.directory / "files" / ("0" * 32)
        photo.write_bytes(b"photo")
        listing = os.scandir

        def scandir(path: Any) -> Any:
            entries = list(listing(path))
            photo.unlink(missing_ok=True)
            return nullcontext(entries)

        self.patch(os, "scandir", scandir)
        self.assertEqual((await self.make()).received, 100)

    def left(self) -> list[Path]:
        """What was left behind beside the backup."""
        return list(self.folder.glob(f"{WORKSPACE}*"))

    async def test_while_writing(self) -> None:
        """A server that writes all the time is not held up, and the copy is of one moment: all up to some reading."""
        await self.report(101, 900)
        self.patch(sqlite3, "connect", self.slowly(sqlite3.connect))
        making = self.make()
        first, done = 1001, [False]
        waiting = Deferred.fromCoroutine(making).addBoth(lambda result: done.__setitem__(0, True) or result)
        longest = 0.0
        while not done[0]:
            began = time.monotonic()
            await self.report(first, 10)
            longest = max(longest, time.monotonic() - began)
            first += 10
        await waiting
        self.assertGreater(first, 1021)
        await self.restore()
        connection = sqlite3.connect(self.folder / "restored" / FILE)
        self.addCleanup(connection.close)
        [(count, last)] = connection.execute("SELECT count(*), max(sequence) FROM reading")
        self.assertEqual(count, last)
        self.assertGreaterEqual(count, 1000)

    def slowly(self, connect: Any) -> Any:
        """Connections that take a breath at each step of a copy."""

        class Slow(sqlite3.Connection):
            def backup(self, target: Any, *, pages: int = -1, progress: Any = None, **more: Any) -> None:
                def told(*arguments: int) -> None:
                    time.sleep(0.02)
                    progress(*arguments)

                super().backup(target, pages=1, progress=told)

        return lambda *arguments, **more: connect(*arguments, **{"factory": Slow, **more})

    async def test_encrypted(self) -> None:
        """With a passphrase nobody else reads it."""
        made = await self.make(passphrase=SECRET)
        self.assertTrue(made.encrypted)
        for attempt in ({}, {"passphrase": "wrong one"}):
            failing: Any = self.restore(**attempt)
            await self.assertFailure(Deferred.fromCoroutine(failing), Missing, WrongPassphrase)
        self.assertEqual((await self.restore(passphrase=SECRET)).received, 100)

    async def test_damaged_database(self) -> None:
        """A database that is damaged makes no backup, and the former one stays."""
        self.target.write_text("former")
        await self.report(101, 900)
        await self.store.close()
        with (self.directory / FILE).open("r+b") as file:
            file.seek(4096 * 2)
            file.write(os.urandom((self.directory / FILE).stat().st_size - 4096 * 2))
        await self.assertFailure(Deferred.fromCoroutine(self.make()), BackupError)
        self.assertEqual((self.target.read_text(), self.left()), ("former", []))

    async def test_nowhere(self) -> None:
        """A directory that is none, and a place where nothing can be written, are said in a line."""
        for directory, target, words in (
            (self.folder / "typo", self.target, "is no data directory"),
            (self.directory, self.folder / "typo/backup", "No such file or directory"),
        ):
            with self.assertRaises(BackupError) as caught:
                make_backup(directory, target)
            self.assertIn(words, str(caught.exception))

    async def test_configuration(self) -> None:
        """The server's configuration is in it, wherever it lies."""
        file = self.folder / "elsewhere.toml"
        file.write_text("[log]\n")
        await self.make(configuration=file)
        await self.restore()
        self.assertEqual((self.folder / "restored/iotcenter.toml").read_text(), "[log]\n")

    async def test_inbox(self) -> None:
        """What is acknowledged and not in the database yet is in it."""
        (self.directory / "inbox").mkdir(exist_ok=True)
        (self.directory / "inbox/0000.test").write_bytes(b"acknowledged")
        await self.make()
        await self.restore()
        self.assertEqual((self.folder / "restored/inbox/0000.test").read_bytes(), b"acknowledged")


class RestoringTests(BackupCase):
    """Restoring a backup."""

    async def test_commands(self) -> None:
        """No number of a command is given a second time, and what was under way is not carried out a second time."""
        ids = [await self.command(self.store) for _ in range(3)]
        await self.make()
        ids.append(await self.command(self.store))
        await self.restore()
        store = self.opened(self.folder / "restored")
        self.assertEqual(await store.commands.pending(), ())
        row = await store.commands.get(ids[0])
        self.assertIs(row.state, CommandState.FAILED)
        self.assertIn("restored from a backup", str(row.error))
        self.assertEqual(await self.command(store), ids[2] + COMMANDS_SINCE + 1)

    def command(self, store: Store) -> Deferred[int]:
        """A command is given."""
        return store.commands.add(KITCHEN, "relay", "{}", "ann", NOW, NOW + 60, CommandState.QUEUED)

    async def test_first_command(self) -> None:
        """So it is where none was ever given before the backup."""
        await self.make()
        await self.restore()
        self.assertEqual(await self.command(self.opened(self.folder / "restored")), COMMANDS_SINCE + 1)

    async def test_who_may_come_in(self) -> None:
        """Users stay; who was signed in signs in again, and tokens that may have been used work no more."""
        await self.store.accounts.add_user(UserRow("ann", Role.ADMIN, "hash", NOW))
        await self.store.sessions.add(b"session", "ann", NOW, NOW + 1e6)
        await self.store.enrollments.add(b"token", "attic", "ann", NOW, NOW + 1e6)
        await self.make()
        await self.restore()
        store = self.opened(self.folder / "restored")
        self.assertEqual([user.name for user in await store.accounts.users()], ["ann"])
        self.assertIsNone(await store.sessions.find(b"session"))
        self.assertEqual(await store.enrollments.open(NOW), ())

    async def test_device_goes_on(self) -> None:
        """What comes again is known, and what the device still holds is taken, across the gap between."""
        await self.make()
        await self.report(101, 50)
        await self.restore()
        store = self.opened(self.folder / "restored")
        await self.report(91, 10, store)
        await self.report(151, 10, store)
        account = (await store.readings.accounts())[KITCHEN]
        self.assertEqual((account.received, account.duplicates), (110, 10))

    async def test_not_empty(self) -> None:
        """What is there already is not touched, unless it shall be put aside; nothing of it is lost then."""
        await self.make()
        occupied = self.folder / "restored"
        occupied.mkdir()
        (occupied / FILE).write_text("precious")
        await self.assertFailure(Deferred.fromCoroutine(self.restore()), BackupError)
        self.assertEqual((occupied / FILE).read_text(), "precious")
        restored = await self.restore(replace=True)
        self.assertEqual(self.count(occupied), 100)
        self.assertEqual((Path(restored.aside) / FILE).read_text(), "precious")
        self.assertEqual(len((await self.make()).path), len(str(self.target)))

    async def test_server_runs(self) -> None:
        """A directory that a server uses is refused."""
        await self.make()
        with self.assertRaises(Locked):
            restore_backup(self.target, self.directory, replace=True)

    async def test_killed(self) -> None:
        """No server starts on a directory whose restoring was cut short; it can be done again."""
        await self.make()
        begun = self.folder / "restored" / UNFINISHED
        begun.mkdir(parents=True)
        (begun / FILE).write_text("half")
        (begun.parent / "authority").mkdir()
        with self.assertRaises(Unfinished):
            DataLock.acquire(begun.parent)
        await self.restore()
        self.assertEqual(self.count(begun.parent), 100)
        DataLock.acquire(begun.parent).release()

    async def test_foreign_files(self) -> None:
        """What is no backup, or only the beginning of one, is said in a line, and nothing is left of it."""
        await self.make()
        whole = self.target.read_bytes()
        strange = BytesIO()
        archive = ArchiveWriter(strange)
        archive.add("something", 4, BytesIO(b"else"))
        archive.finish()
        for data in (
            b"",
            b"text",
            whole[: len(whole) // 2],
            whole[:-1],
            whole + b"x",
            gzip.compress(strange.getvalue()),
            gzip.compress(bytes(1024)),
        ):
            self.target.write_bytes(data)
            with self.assertRaises(BackupError) as caught:
                restore_backup(self.target, self.folder / "restored")
            self.assertIn(f"{self.target}: ", str(caught.exception))
            self.assertEqual([path.name for path in (self.folder / "restored").iterdir()], ["lock"])
        with self.assertRaises(BackupError):
            restore_backup(self.folder / "nowhere", self.folder / "restored")

    async def test_hostile(self) -> None:
        """One that says that it is small and is not, or is from the future, or replaces the lock, is refused."""
        for about, files in (
            (b'{"format":1,"created":1,"version":"1","bytes":1,"devices":0,"received":0}', {"zeros": bytes(10**8)}),
            (b'{"format":2,"created":1,"version":"9","bytes":1,"devices":0,"received":0}', {}),
            (b'{"format":1,"created":1,"version":"1","bytes":1,"devices":0,"received":0}', {"lock": b"1"}),
            (b'{"format":1,"created":1,"version":"1","bytes":1e18,"devices":0,"received":0}', {}),
            (b"[" * 10_000, {}),
            (b" " * 100_000, {}),
        ):
            packed = BytesIO()
            archive = ArchiveWriter(packed)
            for name, content in {ABOUT: about, **files}.items():
                archive.add(name, len(content), BytesIO(content))
            archive.finish()
            self.target.write_bytes(gzip.compress(packed.getvalue(), 1))
            with self.assertRaises(BackupError):
                restore_backup(self.target, self.folder / "restored")
            self.assertEqual([path.name for path in (self.folder / "restored").iterdir()], ["lock"])
