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

OF_ALL = """
    SELECT name, device, log.id, time, level, text FROM log CROSS JOIN device ON device.id = log.device
    WHERE (time, device, log.id) < (?, ?, ?) AND level >= ?{}
    ORDER BY time DESC, device DESC, log.id DESC LIMIT ?
"""
GRAVE_OF_ALL = OF_ALL.format(" AND level >= 2")  # so that SQLite sees that the index of these alone does
OF_ALL = OF_ALL.format("")
OF_DEVICE = """
    SELECT name, device, log.id, time, level, text FROM log CROSS JOIN device ON device.id = log.device
    WHERE device = ? AND log.id < ? AND level >= ? ORDER BY log.id DESC LIMIT ?
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

SEARCHED = 5000
"""The newest lines that one search for a text or a level looks through: some ten milliseconds of work."""

LEVELS = list(LogLevel)


class StoredLine(Struct, frozen=True):
    """A line of a device's log. ``id`` counts up within the device."""

    id: int
    time: float
    level: LogLevel
    text: str


class Place(Struct, frozen=True):
    """Where a line stands among those of all devices: by its time in milliseconds, its device, and its id."""

    time: int = LAST_ID
    device: DeviceId = ""
    id: int = LAST_ID


class DeviceLine(Struct, frozen=True):
    """A line of some device's log, by the device's name."""

    device: str
    place: Place
    line: StoredLine


class Found(Struct, frozen=True):
    """Lines that fit, newest first, and from where on to look for older ones: None where there are none."""

    lines: tuple[DeviceLine, ...]
    older: Place | None


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

    def of_all(
        self,
        limit: int,
        before: Place | None = None,
        level: LogLevel = LogLevel.DEBUG,
        text: str = "",
        device: DeviceId | None = None,
    ) -> Deferred[Found]:
        """The newest ``limit`` lines of all devices, or of one, at ``level`` or graver, with ``text`` in them; of those
        behind ``before``."""
        limit = min(limit, MOST_LINES)
        wanted = partial(_of_all, limit=limit, before=before or Place(), level=level, text=text.lower(), device=device)
        return self._database.read(wanted)


def _of_all(
    connection: sqlite3.Connection, limit: int, before: Place, level: LogLevel, text: str, device: DeviceId | None
) -> Found:
    grave = LogLevel.WARNING.rank if level.rank >= LogLevel.WARNING.rank else 0
    sifted = bool(text) or level.rank != grave
    looked = SEARCHED if sifted else limit + 1
    if device is not None:
        rows = find_all(connection, _device_line, OF_DEVICE, device, before.id, grave, looked)
    else:
        query = GRAVE_OF_ALL if grave else OF_ALL
        rows = find_all(connection, _device_line, query, before.time, before.device, before.id, grave, looked)
    fitting = [one for one in rows if one.line.level.rank >= level.rank and text in one.line.text.lower()]
    if len(fitting) > limit:
        return Found(tuple(fitting[:limit]), fitting[limit - 1].place)
    return Found(tuple(fitting), rows[-1].place if sifted and len(rows) == looked else None)


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


def _device_line(row: Row) -> DeviceLine:
    name, device, number, time, *rest = row
    return DeviceLine(name, Place(time, device, number), _line((number, time, *rest)))
