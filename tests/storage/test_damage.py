"""A damaged database is found when a server starts; what can be read is saved, and the damaged files are kept."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from iotcenter.model import Role
from iotcenter.storage import damage, recovery
from iotcenter.storage.accounts import UserRow
from iotcenter.storage.care import DAMAGED
from iotcenter.storage.errors import DatabaseDamaged, DiskFull
from iotcenter.storage.store import FILE, Store
from tests.faults.books import numbers
from tests.faults.desk import Desk
from tests.faults.storing import FAR, report

DEVICES = 3
REPORTS = 40
OF_A_REPORT = 100

FLIPS = 30
"""How many damaged files are tried."""

PAGE = 4096


class DamageTestCase(TestCase):
    """Has a data directory with devices that reported, a user, and a server that ended well."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Fill the directory."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.file = self.directory / FILE
        await self.fill()

    async def fill(self) -> None:
        """What a server did."""
        desk = await self.begun()
        await desk.store.accounts.add_user(UserRow("ann", Role.ADMIN, "hash", float(FAR)))
        self.devices = [await desk.new_device(f"device-{number}") for number in range(DEVICES)]
        for device in self.devices:
            link = desk.attach(device)
            for number in range(REPORTS):
                self.assertTrue(await link.hand_in(report(number * OF_A_REPORT + 1, OF_A_REPORT)))
        self.before_end(self.directory)
        await desk.close()

    def before_end(self, directory: Path) -> None:
        """Called when everything is stored, and the server is still there."""

    async def begun(self) -> Desk:
        """A server that has started."""
        desk = Desk(self.directory, self.reactor)
        await desk.begin()
        return desk

    async def found(self) -> tuple[tuple[str, ...], int, list[str]]:
        """What a server says of the directory, how many readings it has, and which users."""
        desk = await self.begun()
        try:
            count = sum([len(await numbers(desk.store, device)) for device in self.devices])
            return desk.store.notices, count, [user.name for user in await desk.store.accounts.users()]
        finally:
            await desk.close()

    def flip(self, chance: Random, page: int) -> None:
        """Damage some bytes of a page."""
        with self.file.open("r+b") as file:
            for _ in range(8):
                file.seek((page - 1) * PAGE + chance.randrange(PAGE))
                file.write(chance.randbytes(1))


ALL = DEVICES * REPORTS * OF_A_REPORT


class FlippedTests(DamageTestCase):
    """Bytes of pages are changed while no server runs."""

    async def test_found(self) -> None:
        """Whatever SQLite's own check reports is found, and nearly all is saved; what it does not report changes
        nothing."""
        whole = self.directory.with_name("whole")
        shutil.copytree(self.directory, whole)
        found = 0
        for seed in range(FLIPS):
            shutil.rmtree(self.directory)
            shutil.copytree(whole, self.directory)
            chance = Random(seed)
            self.flip(chance, chance.randrange(2, self.file.stat().st_size // PAGE))
            damaged = self.is_damaged()
            notices, count, users = await self.found()
            self.assertEqual(any("was damaged" in notice for notice in notices), damaged, f"seed {seed}: {notices}")
            found += damaged
            if not any("schema (series)" in notice for notice in notices):  # without which nothing belongs to anybody
                self.assertGreater(count, ALL / 2, f"seed {seed}: {notices}")
            self.assertIn("ann", [*users, "ann" if damaged else ""])
            if damaged:
                [aside] = (self.directory / recovery.FOLDER).iterdir()
                self.assertTrue((aside / FILE).exists())
        self.assertGreater(found, FLIPS / 4)

    def is_damaged(self) -> bool:
        """What SQLite says."""
        with closing(damage.read_only(self.file)) as connection:
            try:
                return bool(connection.execute("PRAGMA integrity_check").fetchone() != ("ok",))
            except (sqlite3.DatabaseError, UnicodeDecodeError):
                return True

    async def test_names_that_are_no_text(self) -> None:
        """SQLite quotes what is damaged, which need not be text: it is damage as any other."""
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute(
                "UPDATE sqlite_schema SET name = CAST(x'ff' AS TEXT), sql = 'CREATE' WHERE name = 'file'"
            )
            connection.commit()
        self.assertEqual(damage.check(self.file, lambda: False), ("its schema is damaged", True))

    async def test_series(self) -> None:
        """The readings of a table of series that cannot be read are found by its index."""
        with closing(sqlite3.connect(self.file)) as connection:
            [(page,)] = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'series'")
        with self.file.open("r+b") as file:
            file.seek((page - 1) * PAGE)
            file.write(bytes(PAGE))
        self.assertEqual((await self.found())[1], ALL)

    async def test_first_page(self) -> None:
        """Of a file that is no database any more nothing is saved, and that is said."""
        with self.file.open("r+b") as file:
            file.write(b"\0" * PAGE)
        notices, count, users = await self.found()
        self.assertIn("could not be read: ", notices[0])
        self.assertEqual((count, users), (0, []))

    async def test_notice_stays(self) -> None:
        """It is said at each start, until the folder with the damaged files is removed."""
        with self.file.open("r+b") as file:
            file.truncate(PAGE * 10)
        first, _, _ = await self.found()
        again, _, _ = await self.found()
        self.assertEqual(first[0], again[0])
        [report] = (self.directory / recovery.FOLDER).glob(f"*/{recovery.REPORT}")
        with report.open("r+b") as file:
            file.write(b"\xff")
        again, _, _ = await self.found()
        self.assertEqual(again[0], f"\N{REPLACEMENT CHARACTER}{first[0][1:]}")
        shutil.rmtree(self.directory / recovery.FOLDER)
        self.assertNotIn(first[0], (await self.found())[0])

    async def test_while_serving(self) -> None:
        """Damage that shows while a server is at work is said, and mended by the next start."""
        store = Store(self.directory, self.reactor)  # no desk, which reads at once: what was read is not read again
        store.open()
        pages = self.file.stat().st_size // PAGE
        with self.file.open("r+b") as file:
            file.seek(PAGE)
            file.write(b"\x77" * PAGE * (pages - 1))
        reading = Deferred.fromCoroutine(numbers(store, self.devices[0]))
        await self.assertFailure(reading, DatabaseDamaged)
        self.assertIn(DAMAGED, store.notices)
        self.flushLoggedErrors()
        await store.close()
        notices, _, _ = await self.found()
        self.assertIn("was damaged", notices[0])

    async def test_large(self) -> None:
        """A check that takes longer than a start may goes on while the server is at work."""
        self.patch(damage, "CHECK_WITHIN", 0.0)
        self.patch(damage, "LOOK_EVERY", 1)
        with self.file.open("r+b") as file:
            file.seek(self.file.stat().st_size // 2)
            file.write(bytes(PAGE))
        store = Store(self.directory, self.reactor)
        store.open()
        self.assertEqual(store.notices, ())
        await store.close()
        self.assertIn("was damaged", (await self.found())[0][0])

    async def test_disk_full(self) -> None:
        """Saving that breaks off is taken up by the next start."""
        with self.file.open("r+b") as file:
            file.seek(self.file.stat().st_size // 2)
            file.write(bytes(PAGE))

        def full(*arguments: object) -> None:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

        patch = self.patch(recovery, "copy_readable", full)
        store = Store(self.directory, self.reactor)
        self.assertRaises(DiskFull, store.open)
        patch.restore()
        notices, count, _ = await self.found()
        self.assertIn("was damaged", notices[0])
        self.assertGreater(count, ALL / 2)


class EndedTests(DamageTestCase):
    """A server that ended well is believed."""

    async def test_unchecked(self) -> None:
        """Nothing is looked at, so that a start takes no time."""
        self.patch(damage, "check", lambda *_: self.fail("it was checked"))
        self.assertEqual((await self.found())[1], ALL)

    async def test_damaged_mark(self) -> None:
        """What it left behind says nothing where it cannot be read: the database is looked at, and is whole."""
        mark = self.file.with_suffix(".state")
        for left in (b"", b"{", b'{"fault":"\xff"}', b'{"other":' + b"[" * 100_000, b"\xff" * 1000):
            mark.write_bytes(left)
            self.assertEqual((await self.found())[:2], ((), ALL))

    async def test_empty(self) -> None:
        """An empty file is never taken for a new database, nor is one that is missing."""
        for change in (lambda: self.file.write_bytes(b""), self.file.unlink):
            change()
            notices, count, _ = await self.found()
            self.assertIn("was damaged", notices[0])
            self.assertEqual(count, 0)
            shutil.rmtree(self.directory / recovery.FOLDER)


class KilledTests(DamageTestCase):
    """A server that was killed left SQLite's log behind."""

    def before_end(self, directory: Path) -> None:
        """What was on disk at that moment."""
        shutil.copytree(directory, directory.with_name("killed"))

    async def setUp(self) -> None:  # type: ignore[override]
        """Take the directory of the killed server."""
        await super().setUp()
        shutil.rmtree(self.directory)
        shutil.copytree(self.directory.with_name("killed"), self.directory)
        shutil.rmtree(self.directory.with_name("killed"))
        self.log = Path(f"{self.file}-wal")
        self.assertGreater(self.log.stat().st_size, 10 * PAGE)

    async def test_whole(self) -> None:
        """All that it had stored is there, without a word."""
        self.assertEqual((await self.found())[1], ALL)
        self.assertFalse((self.directory / recovery.FOLDER).exists())

    async def test_without_index(self) -> None:
        """The shared index is made anew."""
        Path(f"{self.file}-shm").unlink()
        self.assertEqual((await self.found())[1], ALL)
        self.assertFalse((self.directory / recovery.FOLDER).exists())

    async def test_cut_short(self) -> None:
        """A log that is shorter than it was is found."""
        self.log.write_bytes(self.log.read_bytes()[: 5 * PAGE])
        self.assertIn("its log has ", (await self.found())[0][0])

    async def test_without_log(self) -> None:
        """So is one that is gone."""
        self.log.unlink()
        self.assertIn("its log has 0 bytes", (await self.found())[0][0])
