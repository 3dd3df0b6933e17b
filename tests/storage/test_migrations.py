from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.storage import migrations
from iotcenter.storage.connections import prepare
from iotcenter.storage.errors import NewerSchema, StorageError
from iotcenter.storage.migrations import Migration

TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"


class MigrationsTests(SynchronousTestCase):
    """How a database comes to the newest schema."""

    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        self.path = directory / "iotcenter.db"
        self.known = migrations.migrations()

    def all(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query).fetchall()

    def dump(self) -> list[str]:
        with closing(sqlite3.connect(self.path)) as connection:
            return list(connection.iterdump())

    def know(self, *more: Migration) -> None:
        """Let a later version know ``more``."""
        self.patch(migrations, "migrations", lambda: [*self.known, *more])

    def test_numbers(self) -> None:
        """They are numbered without a gap, and come in order."""
        self.assertEqual([migration.number for migration in self.known], list(range(1, len(self.known) + 1)))

    def test_empty(self) -> None:
        """An empty file gets all tables, and the schema's number."""
        prepare(self.path)
        tables = {name for (name,) in self.all(TABLES)}
        self.assertLessEqual({"device", "series", "reading", "progress", "account", "command", "log", "user"}, tables)
        self.assertEqual(self.all("PRAGMA user_version"), [(self.known[-1].number,)])

    def test_current(self) -> None:
        """A current one stays as it is."""
        prepare(self.path)
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("INSERT INTO secret VALUES ('setup', x'00', 1, 2)")
        before = self.dump()
        prepare(self.path)
        self.assertEqual(self.dump(), before)

    def test_older(self) -> None:
        """An older one is brought up to date, and keeps what is in it."""
        prepare(self.path)
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("INSERT INTO secret VALUES ('setup', x'00', 1, 2)")
        number = self.known[-1].number
        self.know(
            Migration(number + 1, "CREATE TABLE one (x);"),
            Migration(number + 2, "ALTER TABLE secret ADD COLUMN note TEXT DEFAULT 'new';"),
        )
        prepare(self.path)
        self.assertEqual(self.all("SELECT kind, note FROM secret"), [("setup", "new")])
        self.assertEqual(self.all("PRAGMA user_version"), [(number + 2,)])

    def test_all_or_nothing(self) -> None:
        """Where one step fails, none is taken, and the next start finds what was there."""
        prepare(self.path)
        before = self.all(TABLES)
        number = self.known[-1].number
        self.know(Migration(number + 1, "CREATE TABLE one (x);"), Migration(number + 2, "NONSENSE;"))
        self.assertRaises(StorageError, prepare, self.path)
        self.assertEqual(self.all(TABLES), before)
        self.assertEqual(self.all("PRAGMA user_version"), [(number,)])

    def test_newer(self) -> None:
        """One from a newer version is left alone, and one line says so."""
        prepare(self.path)
        number = self.known[-1].number
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute(f"PRAGMA user_version = {number + 6}")
        with self.assertRaises(NewerSchema) as caught:
            prepare(self.path)
        self.assertIn(f"newer IotCenter (schema {number + 6}, not {number})", str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))
