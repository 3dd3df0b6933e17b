from __future__ import annotations

import sqlite3
from contextlib import closing

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.storage.sql import ROWS_AT_ONCE, insert, milliseconds, seconds


class InsertTests(SynchronousTestCase):
    """Many rows in few statements."""

    def test_any_number(self) -> None:
        """However many rows there are, each is inserted once."""
        for count in (0, 1, 15, 16, 17, 127, 128, 129, 1023, 1024, 1025, sum(ROWS_AT_ONCE) * 2 + 3):
            with closing(sqlite3.connect(":memory:")) as connection:
                connection.execute("CREATE TABLE pair (a INTEGER PRIMARY KEY, b)")
                rows = [(number, str(number)) for number in range(count)]
                insert(connection, "INTO pair (a, b)", rows)
                self.assertEqual(connection.execute("SELECT a, b FROM pair ORDER BY a").fetchall(), rows)

    def test_few_statements(self) -> None:
        """There are some twenty statements for a thousand rows, not a thousand."""
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            connection.execute("CREATE TABLE one (a)")
            statements: list[str] = []
            connection.set_trace_callback(statements.append)
            insert(connection, "INTO one (a)", [(number,) for number in range(1000)])
        self.assertLess(len(statements), 25)

    def test_count(self) -> None:
        """How many rows were added is said, however many statements it took."""
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("CREATE TABLE one (a PRIMARY KEY)")
            insert(connection, "INTO one", [(number,) for number in range(0, 1200, 2)])
            added = insert(connection, "OR IGNORE INTO one", [(number,) for number in range(1200)])
        self.assertEqual(added, 600)

    def test_conflict(self) -> None:
        """What is to happen to rows that are there already can be said."""
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("CREATE TABLE count (name PRIMARY KEY, number)")
            for _ in range(3):
                insert(
                    connection,
                    "INTO count (name, number)",
                    [("a", 1), ("b", 2)],
                    "ON CONFLICT (name) DO UPDATE SET number = number + excluded.number",
                )
            self.assertEqual(connection.execute("SELECT * FROM count").fetchall(), [("a", 3), ("b", 6)])


class TimeTests(SynchronousTestCase):
    """Times in the database."""

    def test_milliseconds(self) -> None:
        """A time to the millisecond comes back as it was."""
        for time in (0.0, 1_764_000_000.001, 1_764_000_000.999, -1.5):
            self.assertEqual(seconds(milliseconds(time)), time)
