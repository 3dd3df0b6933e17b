from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import cast

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from iotcenter.storage import connections, database
from iotcenter.storage.commit import Job
from iotcenter.storage.database import MOST_WAITING
from iotcenter.storage.errors import (
    Busy,
    Closed,
    DatabaseDamaged,
    DatabaseLocked,
    DiskFull,
    NotFound,
    NotWritable,
    StorageError,
    TookTooLong,
)
from iotcenter.storage.sql import change, select
from tests.storage.support import DatabaseCase, FillingDisk

ADD = "INSERT INTO user (name, role, password_hash, created, time_zone) VALUES (?, 'viewer', ?, 0, 'UTC')"
NAMES = "SELECT name FROM user ORDER BY name"
A_LOT = "x" * 1_000_000


def names(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in select(connection, NAMES)]


class Recorder(Job):
    """A job that notes what happens to it."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.told: Deferred[None] = Deferred()

    def started(self) -> None:
        self.happened.append("started")

    def run(self, connection: sqlite3.Connection) -> None:
        self.happened.append("run")

    def ended(self, error: Exception | None) -> None:
        self.happened.append(f"ended {type(error).__name__}")

    def tell(self, error: Exception | None) -> None:
        self.happened.append(f"told {type(error).__name__}")
        self.told.callback(None)


class WritingTests(DatabaseCase):
    """Writes share commits, and nothing else."""

    def add(self, name: str, password_hash: str = "") -> Deferred[int]:
        return self.database.write(lambda connection: change(connection, ADD, name, password_hash))

    async def test_on_disk(self) -> None:
        """When a write has fired, another program finds it in the file."""
        self.assertEqual(await self.add("ada"), 1)
        self.assertEqual(self.rows(NAMES), [("ada",)])

    async def test_order(self) -> None:
        """Writes take effect, and are told, in the order in which they were made."""
        told: list[int] = []

        async def add(number: int) -> None:
            await self.add(f"user{number}")
            told.append(number)

        await gatherResults([Deferred.fromCoroutine(add(number)) for number in range(50)])
        self.assertEqual(told, list(range(50)))
        self.assertEqual(self.rows("SELECT count(*) FROM user"), [(50,)])

    async def test_isolation(self) -> None:
        """A write that fails undoes what it did, and nothing of those that share its commit."""

        def fails(connection: sqlite3.Connection) -> int:
            change(connection, ADD, "eve", "")
            raise NotFound("not here")

        before, failing, after = self.add("ada"), self.database.write(fails), self.add("bob")
        error = await self.assertFailure(failing, NotFound)
        self.assertEqual(str(error), "not here")
        await gatherResults([before, after])
        self.assertEqual(self.rows(NAMES), [("ada",), ("bob",)])

    async def test_driver_errors(self) -> None:
        """What SQLite objects to comes out in our words, and is nobody else's."""
        first, twin = self.add("ada"), self.add("ada")
        error = await self.assertFailure(twin, StorageError)
        self.assertIn("SQLITE_CONSTRAINT", str(error))
        await first
        await self.assertFailure(self.database.write(lambda connection: change(connection, "NONSENSE")), StorageError)
        self.assertIsNone(self.database.trouble)

    async def test_shared_commit(self) -> None:
        """What comes in one turn of the reactor is one commit; what comes meanwhile is the next."""
        first, second, third = Recorder(), Recorder(), Recorder()
        self.database.join(first)
        self.database.join(second)
        first.started = lambda: self.database.join(third)  # type: ignore[method-assign]
        await gatherResults([first.told, second.told])
        self.assertEqual(second.happened, ["started", "run", "ended NoneType", "told NoneType"])
        self.assertEqual(third.happened[:1], ["started"])
        await third.told

    async def test_bound(self) -> None:
        """Past the bound a write fails at once, and the others are done."""
        writes = [self.add(f"user{number}") for number in range(MOST_WAITING)]
        await self.assertFailure(self.add("one too many"), Busy)
        await gatherResults(writes)
        self.assertEqual(self.rows("SELECT count(*) FROM user"), [(MOST_WAITING,)])

    async def test_durable(self) -> None:
        """A commit waits for the disk, and only the writer folds the log into the database."""
        pragmas = ["synchronous", "journal_mode", "foreign_keys", "wal_autocheckpoint"]

        def settings(connection: sqlite3.Connection) -> list[object]:
            return [select(connection, f"PRAGMA {pragma}")[0][0] for pragma in pragmas]

        full = 2
        self.assertEqual(await self.database.write(settings), [full, "wal", 1, connections.WAL_PAGES])

    async def test_space_can_be_given_back(self) -> None:
        """The file is made so that it can shrink in small steps, which cannot be decided later."""
        incremental = 2
        self.assertEqual(self.rows("PRAGMA auto_vacuum"), [(incremental,)])

    def test_private(self) -> None:
        """The file, which holds hashes of passwords, is its owner's alone."""
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)


class ReadingTests(DatabaseCase):
    """Reads see one moment, and change nothing."""

    async def test_one_moment(self) -> None:
        """What is written while a read goes on, it does not see."""
        from twisted.internet import reactor

        begun: Deferred[None] = Deferred()
        go_on = threading.Event()

        def twice(connection: sqlite3.Connection) -> tuple[list[str], list[str]]:
            before = names(connection)
            reactor.callFromThread(begun.callback, None)  # type: ignore[attr-defined]
            go_on.wait(10)
            return before, names(connection)

        reading = self.database.read(twice)
        await begun
        await self.database.write(lambda connection: change(connection, ADD, "ada", ""))
        go_on.set()
        self.assertEqual(await reading, ([], []))
        self.assertEqual(await self.database.read(names), ["ada"])

    async def test_read_only(self) -> None:
        """A reader cannot write."""
        writing = self.database.read(lambda connection: change(connection, ADD, "ada", ""))
        await self.assertFailure(writing, NotWritable)

    async def test_own_errors(self) -> None:
        """An exception of the function's own comes out as it is, and the connection goes on."""

        def fails(connection: sqlite3.Connection) -> int:
            raise NotFound("not here")

        for _ in range(3):
            await self.assertFailure(self.database.read(fails), NotFound)
        self.assertEqual(await self.database.read(names), [])

    async def test_bound(self) -> None:
        """Past the bound a read fails at once, and the others are done."""
        reads = [self.database.read(names) for _ in range(MOST_WAITING)]
        await self.assertFailure(self.database.read(names), Busy)
        self.assertEqual(await gatherResults(reads), [[]] * MOST_WAITING)

    async def test_deadline(self) -> None:
        """A read that takes too long is ended, in words; the next one is not."""
        self.patch(database, "READ_WITHIN", 0.05)
        count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        for door in (self.database.read, self.database.scan):
            await self.assertFailure(door(lambda connection: select(connection, count)), TookTooLong)
        self.patch(database, "READ_WITHIN", 60.0)
        self.assertEqual(await self.database.read(names), [])

    async def test_cancelled(self) -> None:
        """Who stops waiting for a read hears no more of it; it still counts, and closing waits for its thread."""
        started, go_on = threading.Event(), threading.Event()

        def waits(connection: sqlite3.Connection) -> None:
            started.set()
            go_on.wait(60)

        reading = self.database.read(waits)
        await deferToThread(started.wait, 60)
        reading.cancel()
        await self.assertFailure(reading, CancelledError)
        closed = self.database.close()
        await self.turn()
        self.assertFalse(closed.called)
        go_on.set()
        await closed
        self.assertEqual(self.flushLoggedErrors(), [])

    def turn(self) -> Deferred[None]:
        """Fires in a later turn of the reactor."""
        from twisted.internet import reactor

        return deferLater(cast(IReactorTime, reactor), 0)


class TroubleTests(DatabaseCase):
    """What happens when the disk or the database fails."""

    def add(self, name: str, password_hash: str = "") -> Deferred[int]:
        return self.database.write(lambda connection: change(connection, ADD, name, password_hash))

    async def test_disk_full(self) -> None:
        """On a full disk nothing of a commit counts, whoever filled it; with room again it goes on by itself."""
        disk = FillingDisk(self, pages=100)
        await self.reopen()
        small, large = self.add("ada"), self.add("bob", A_LOT)
        await self.assertFailure(small, DiskFull)
        error = await self.assertFailure(large, DiskFull)
        self.assertIn("The disk is full", str(error))
        self.assertIs(self.database.trouble, error)
        self.assertEqual(self.rows(NAMES), [])
        self.assertEqual(await self.database.read(names), [])
        await self.assertFailure(self.add("bob", A_LOT), DiskFull)
        disk.pages = 1000
        await gatherResults([self.add("ada"), self.add("bob", A_LOT)])
        self.assertIsNone(self.database.trouble)
        self.assertEqual(self.rows(NAMES), [("ada",), ("bob",)])

    async def test_commit_fails(self) -> None:
        """Where all goes well until the commit itself fails, nothing of it counts; the next one is whole."""

        def adds_orphan(connection: sqlite3.Connection) -> int:
            connection.execute("PRAGMA defer_foreign_keys = ON")
            return change(
                connection,
                "INSERT INTO session (hash, user, created, last_used, expires) VALUES (x'00', 'nobody', 0, 0, 0)",
            )

        neighbour, failing = self.add("ada"), self.database.write(adds_orphan)
        await self.assertFailure(neighbour, StorageError)
        await self.assertFailure(failing, StorageError)
        await self.add("bob")
        self.assertEqual(self.rows(NAMES), [("bob",)])

    async def test_jobs_know(self) -> None:
        """Every job of a commit that failed is told why, on both threads."""
        FillingDisk(self, pages=100)
        await self.reopen()
        recorder = Recorder()
        self.database.join(recorder)
        await self.assertFailure(self.add("bob", A_LOT), DiskFull)
        self.assertEqual(recorder.happened, ["started", "run", "ended DiskFull", "told DiskFull"])

    async def test_locked(self) -> None:
        """While another program holds the database writes fail, reads work, and then it goes on by itself."""
        self.patch(connections, "LOCK_WAIT", 0.01)
        await self.reopen()
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            error = await self.assertFailure(self.add("ada"), DatabaseLocked)
            self.assertIn("Another program holds the database", str(error))
            self.assertEqual(await self.database.read(names), [])
            other.execute("ROLLBACK")
        await self.add("ada")
        self.assertIsNone(self.database.trouble)

    async def test_not_a_database(self) -> None:
        """A file that is no database is left as it is, and one line says so."""
        await self.database.close()
        self.path.write_bytes(b"something else entirely\n" * 100)
        with self.assertRaises(DatabaseDamaged) as caught:
            self.database.open()
        self.assertIn("The database is damaged", str(caught.exception))
        self.assertTrue(self.path.read_bytes().startswith(b"something else"))

    async def test_no_directory(self) -> None:
        """A place that cannot be written is named in one line."""
        await self.database.close()
        self.path = self.path.parent / "missing" / "iotcenter.db"
        with self.assertRaises(NotWritable) as caught:
            self.opened()
        self.assertIn(str(self.path), str(caught.exception))


class ClosingTests(DatabaseCase):
    """The end."""

    async def test_finishes(self) -> None:
        """What waits is finished first; what comes after is refused."""
        reading = self.database.read(names)
        writing = self.database.write(lambda connection: change(connection, ADD, "ada", ""))
        closing = self.database.close()
        await self.assertFailure(self.database.read(names), Closed)
        await self.assertFailure(self.database.write(names), Closed)
        self.assertRaises(Closed, self.database.join, Recorder())
        await closing
        self.assertEqual((self.successResultOf(reading), self.successResultOf(writing)), ([], 1))
        self.assertEqual(self.rows(NAMES), [("ada",)])

    async def test_leaves_nothing(self) -> None:
        """No thread is left, and one file: the log is folded into the database."""
        await self.database.close()
        before = set(threading.enumerate())
        self.database = self.opened()
        await self.database.write(lambda connection: change(connection, ADD, "ada", ""))
        await self.database.read(names)
        await self.database.close()
        self.assertEqual(set(threading.enumerate()) - before, set())
        self.assertEqual([path.name for path in self.path.parent.iterdir()], [self.path.name])

    async def test_twice(self) -> None:
        """Closing what is closed does nothing."""
        await self.database.close()
        await self.database.close()

    async def test_reopen(self) -> None:
        """What was stored is there after a restart."""
        await self.database.write(lambda connection: change(connection, ADD, "ada", ""))
        await self.reopen()
        self.assertEqual(await self.database.read(names), ["ada"])
