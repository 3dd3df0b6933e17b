"""Copies what can be read of a database that breaks off anywhere."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from iotcenter.storage.damage import read_only
from iotcenter.storage.migrations import migrate, migrations

SLICES = 256
"""Into how many pieces the time of a series is cut between two places where it cannot be read: what lies between other
such places is found all the same."""

TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rootpage"
ADOPT = """
    INSERT OR IGNORE INTO device (id, name, transport, created)
    SELECT DISTINCT device, 'recovered-' || substr(device, 1, 8), 'tls', ? FROM series
    WHERE device IS NOT NULL AND device NOT IN (SELECT id FROM device)
"""
COUNTER = "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1"
NEW_COUNTER = "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, ?2 WHERE ?1 NOT IN (SELECT name FROM sqlite_sequence)"

TIERS = {"reading", "minute", "hour", "day"}
RECKON_AGAIN = (
    "INSERT OR REPLACE INTO day SELECT DISTINCT series, time / 86400000, 0, 0, 0, NULL, NULL, 0 FROM reading",
    "DELETE FROM hour WHERE (series, time / 24) IN (SELECT series, time FROM day WHERE count = 0)",
    "DELETE FROM minute WHERE (series, time / 1440) IN (SELECT series, time FROM day WHERE count = 0)",
)
"""Where something of the readings is lost, what was reckoned from them is reckoned again: see ``rollups.py``."""

ANY: set[type] = {int, float, str, bytes}
KINDS: dict[str, set[type]] = {"INTEGER": {int}, "REAL": {float, int}, "TEXT": {str}, "BLOB": {bytes}}
"""What may be in a column, by its type: damage makes anything of it."""

Row = Sequence[Any]


def copy_readable(damaged: Path, fresh: Path) -> tuple[Counter[str], list[str]]:
    """Copy what can be read of the database ``damaged`` into a new one; how many rows each table has there, and those
    of which some could not be read. Raises ``sqlite3.Error`` where the new one cannot be written."""
    fresh.touch(0o600)
    with closing(sqlite3.connect(fresh, isolation_level=None)) as target, _source(damaged) as source:
        target.execute("PRAGMA auto_vacuum = INCREMENTAL")
        migrate(target, source.version())
        tables = [name for (name,) in target.execute(TABLES)]
        target.execute("BEGIN")
        unread = [table for table in tables if not _Copier(source, target, table).copy()]
        for statement in (COUNTER, NEW_COUNTER):
            target.executemany(statement, source.rows("SELECT name, seq FROM sqlite_sequence"))
        if TIERS.issubset(tables) and not TIERS.isdisjoint(unread):
            for statement in RECKON_AGAIN:
                target.execute(statement)
        target.execute(ADOPT, (round(time.time() * 1000),))
        target.execute("COMMIT")
        migrate(target)
        counts = {table: target.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
        target.execute("PRAGMA journal_mode = WAL")
    return Counter(counts), unread


class _Source:
    """A database that breaks off anywhere. ``connection`` is None where it cannot be read at all."""

    def __init__(self, connection: sqlite3.Connection | None) -> None:
        self._connection = connection
        self.broke = connection is None
        """Whether the last rows ended because there was more that could not be read."""
        self.readable = connection is not None
        """Whether it can be read at all."""

    def version(self) -> int | None:
        """Its schema; None for the newest, where it cannot be told."""
        found = list(self.rows("PRAGMA user_version"))
        version = int(found[0][0]) if found else 0
        return version if 0 < version <= migrations()[-1].number else None

    def rows(self, query: str) -> Iterator[Row]:
        """What ``query`` gives until it ends, or breaks off."""
        if self._connection is None:
            return
        self.broke = False
        try:
            yield from self._connection.execute(query)
        except sqlite3.Error:
            self.broke = True


@contextmanager
def _source(damaged: Path) -> Iterator[_Source]:
    if not damaged.exists():
        yield _Source(None)
        return
    with closing(read_only(damaged)) as connection:
        connection.execute("PRAGMA writable_schema = ON")  # which leaves out only what is damaged of the schema itself
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        yield _Source(connection)


class _Copier:
    """Copies one table: in order, and where it breaks off, backwards from its end as well."""

    def __init__(self, source: _Source, target: sqlite3.Connection, table: str) -> None:
        self._source = source
        self._target = target
        self._table = table
        columns = target.execute(f"PRAGMA table_info({table})").fetchall()
        [(sql,)] = target.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table,))
        self._names = [row[1] for row in columns]
        self._kinds = [KINDS.get(row[2], ANY) | ({type(None)} if not row[3] else set()) for row in columns]
        self._sound: set[tuple[type, ...]] = set()
        key = [name for place, name in sorted((row[5], row[1]) for row in columns) if place]
        self._key = key if "WITHOUT ROWID" in sql.upper() else ["rowid"]

    def copy(self) -> bool:
        """Whether all of it could be read."""
        made = self._target.execute(f"SELECT * FROM {self._table}").fetchall()  # by the schema itself
        self._target.execute(f"DELETE FROM {self._table}")
        whole = self._copy_by_series() if self._key[:2] == ["series", "time"] else self._copy_in_order()
        if self._target.execute(f"SELECT NOT EXISTS (SELECT 1 FROM {self._table})").fetchone()[0]:
            self._add(made)
        return whole

    def _copy_in_order(self) -> bool:
        self._add(self._rows())
        if not self._source.broke:
            return True
        self._add(self._rows(way="DESC"))
        if self._table == "series":  # by which all readings are found: its index holds all of it once more
            rows = self._source.rows("SELECT id, device, name FROM series ORDER BY device, name")
            self._target.executemany("INSERT OR IGNORE INTO series (id, device, name) VALUES (?, ?, ?)", rows)
        return False

    def _copy_by_series(self) -> bool:
        series = self._target.execute("SELECT id FROM series ORDER BY id").fetchall()
        broken = [id for (id,) in series if not self._copy_series(f"WHERE series = {int(id)}")]
        return self._source.readable and not broken

    def _copy_series(self, where: str) -> bool:
        """Copy a series from both ends; what is left between, where it broke off twice, is looked at in slices."""
        time = self._names.index("time")
        first = self._add(self._rows(where))
        if not self._source.broke:
            return True
        last = self._add(self._rows(where, "DESC"))
        if first and last and first[time] < last[time]:
            self._copy_between(where, first[time], last[time])
        return False

    def _copy_between(self, where: str, low: int, high: int) -> None:
        width = (high - low) // SLICES + 1
        for start in range(low, high, width):
            piece = f"{where} AND time >= {start} AND time < {start + width}"
            self._add(self._rows(piece))
            if self._source.broke:
                self._add(self._rows(piece, "DESC"))

    def _is_sound(self, shape: tuple[type, ...]) -> bool:
        """Whether a row of these types can be one of this table; remembered, since there are few such shapes."""
        sound = all(kind in kinds for kind, kinds in zip(shape, self._kinds, strict=True))
        if sound:
            self._sound.add(shape)
        return sound

    def _rows(self, where: str = "", way: str = "") -> Iterator[Row]:
        order = ", ".join(f"{name} {way}" for name in self._key)
        return self._source.rows(f"SELECT {', '.join(self._names)} FROM {self._table} {where} ORDER BY {order}")

    def _add(self, rows: Iterable[Row]) -> Row:
        """Insert ``rows``, but for those that are there or hold what such a row cannot; the answer is the last of them,
        empty where there is none."""
        last: Row = ()

        def sound() -> Iterator[Row]:
            nonlocal last
            for row in rows:
                shape = tuple(map(type, row))
                if shape in self._sound or self._is_sound(shape):
                    last = row
                    yield row

        values = ", ".join("?" * len(self._names))
        self._target.executemany(f"INSERT OR IGNORE INTO {self._table} VALUES ({values})", sound())
        return last
