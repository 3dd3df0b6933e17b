"""The lines that devices log."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial

from msgspec import Struct
from twisted.internet.defer import Deferred

from iotcenter.model import DeviceId, LogLevel, LogLine
from iotcenter.storage.database import Database
from iotcenter.storage.devices import check_device
from iotcenter.storage.sql import Row, find_all, milliseconds, seconds, select
from iotcenter.storage.times import fault, place

NEWEST = "SELECT coalesce(max(id), 0) FROM log WHERE device = ?"
ADD = "INSERT INTO log (device, id, time, level, text) VALUES (?, ?, ?, ?, ?)"
PRUNE = "DELETE FROM log WHERE device = ? AND id <= ?"
RECENT = """
    SELECT id, time, level, text FROM log
    WHERE device = ? AND id < ? AND level >= ? ORDER BY id DESC LIMIT ?
"""

PRUNE_LONG = """
    DELETE FROM log WHERE device = ? AND id <= (
        SELECT max(id) FROM (
            SELECT id, sum(length(CAST(text AS BLOB))) OVER (ORDER BY id DESC) AS size FROM log WHERE device = ?
        ) WHERE size > ?
    )
"""

KEPT = 10_000
"""Lines kept of each device, usually some 1 MB: enough to find out what happened."""

KEPT_BYTES = 4_000_000
"""Bytes of text kept of each device: lines can be forty times as long as they usually are, and a chatty device fills
no disk."""

MEASURE_EVERY = 100
"""How many lines come between two looks at their bytes, since a look reads them all: they add 1 MB at most."""

MOST_LINES = 1000
"""Lines in one answer: more than a page shows."""

LAST_ID = 2**63 - 1
LEVELS = list(LogLevel)


class StoredLine(Struct, frozen=True):
    """A line of a device's log. ``id`` counts up within the device."""

    id: int
    time: float
    level: LogLevel
    text: str


class Logs:
    """The table of devices' log lines."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, device: DeviceId, lines: Sequence[LogLine], received: float) -> Deferred[tuple[StoredLine, ...]]:
        """Keep ``lines``; fires with what they are now. A time that cannot be becomes that of receipt.

        Fails with ``NotFound``.
        """
        return self._database.write(partial(append_lines, device=device, lines=lines, received=received))

    def recent(
        self,
        device: DeviceId,
        limit: int = 100,
        before: int | None = None,
        level: LogLevel = LogLevel.DEBUG,
    ) -> Deferred[tuple[StoredLine, ...]]:
        """The newest ``limit`` lines at ``level`` or graver, of those before the id ``before``; the newest first."""
        parameters = (device, LAST_ID if before is None else before, level.rank, min(limit, MOST_LINES))
        return self._database.read(lambda connection: find_all(connection, _line, RECENT, *parameters))


def append_lines(
    connection: sqlite3.Connection, device: DeviceId, lines: Sequence[LogLine], received: float
) -> tuple[StoredLine, ...]:
    """As ``Logs.append``; for other tables' transactions."""
    check_device(connection, device)
    [(newest,)] = select(connection, NEWEST, device)
    stored = tuple(_stored(newest + 1 + index, line, received) for index, line in enumerate(lines))
    rows = [(device, line.id, milliseconds(line.time), line.level.rank, line.text) for line in stored]
    connection.executemany(ADD, rows)
    connection.execute(PRUNE, (device, newest + len(lines) - KEPT))
    if newest // MEASURE_EVERY != (newest + len(lines)) // MEASURE_EVERY:
        connection.execute(PRUNE_LONG, (device, device, KEPT_BYTES))
    return stored


def _stored(number: int, line: LogLine, received: float) -> StoredLine:
    time = place(line.time, received)
    return StoredLine(number, received if fault(time, received) else time, line.level, line.text)


def _line(row: Row) -> StoredLine:
    number, time, level, text = row
    return StoredLine(number, seconds(time), LEVELS[level], text)
