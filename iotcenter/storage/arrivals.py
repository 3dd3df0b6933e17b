"""When readings came, as opposed to when they were measured: what explains a place in time, and how it can be mended.

A row for each reading would be dear. Reports that follow on one another, and came in the same way, are one *run*.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from msgspec import Struct
from twisted.internet.defer import Deferred

from iotcenter.model import DeviceId
from iotcenter.storage.database import Database
from iotcenter.storage.sql import Row, change, find, find_all, insert, select

COLUMNS = "boot, first, last, time, since, until, clock, late"
OF_BOOT = f"SELECT {COLUMNS} FROM arrival WHERE device = ? AND boot = ? ORDER BY first DESC LIMIT 1"
OF_DEVICE = f"SELECT {COLUMNS} FROM arrival WHERE device = ? ORDER BY until DESC LIMIT ?"
NEWEST = f"""
    SELECT d.id, {COLUMNS} FROM device d CROSS JOIN arrival a ON a.device = d.id
    AND (a.boot, a.first) = (SELECT boot, first FROM arrival WHERE device = d.id ORDER BY boot DESC, first DESC LIMIT 1)
"""
KEEP = f"OR REPLACE INTO arrival (device, {COLUMNS})"
FORGET = """
    DELETE FROM arrival WHERE (device, boot, first) IN (
        SELECT device, boot, first FROM arrival WHERE device = ? ORDER BY until DESC LIMIT -1 OFFSET ?)
"""

LONGEST = 86_400_000
"""Milliseconds of the longest run. A reading that was not late came within a minute of its time, so a run need not say
it closer; late ones come all at once."""

SAME_CLOCK = 60_000
"""Milliseconds by which the difference of the clocks may change within a run: delays on the way make it look so."""

KEPT = 1000
"""Runs kept of each device: some years of one that stays online, weeks of one that comes and goes every hour."""


class Run(Struct, frozen=True):
    """Readings ``first`` to ``last`` of ``boot`` came between ``since`` and ``until``, the newest measured at ``time``;
    ``late`` of them over a minute after they were measured. The device's clock was ``clock`` ahead of ours; None where
    it had none. All times are milliseconds."""

    boot: int
    first: int
    last: int
    time: int
    since: int
    until: int
    clock: int | None
    late: int

    def extended(self, other: Run) -> Run | None:
        """This run and ``other`` in one, where the other follows on it and came in the same way."""
        follows = other.first == self.last + 1 and (other.late > 0) == (self.late > 0)
        if not follows or other.until - self.since > LONGEST or not _same(self.clock, other.clock):
            return None
        return Run(
            self.boot, self.first, other.last, other.time, self.since, other.until, self.clock, self.late + other.late
        )


class ArrivalNotes:
    """The runs that one commit writes. It is used on the writer's thread alone."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._latest: dict[tuple[DeviceId, int], Run] = {}
        self._changed: dict[tuple[DeviceId, int, int], Run] = {}
        self._new: set[DeviceId] = set()

    def note(self, device: DeviceId, arrived: Run) -> None:
        """Enter a report that was stored."""
        before = self._latest.get((device, arrived.boot)) or find(self._connection, _run, OF_BOOT, device, arrived.boot)
        run = before.extended(arrived) if before is not None else None
        if run is None:
            run = arrived
            self._new.add(device)
        self._latest[device, arrived.boot] = self._changed[device, run.boot, run.first] = run

    def write(self) -> None:
        """Write what changed, and forget the oldest runs of those that have too many."""
        insert(self._connection, KEEP, [(device, *_row(run)) for (device, _, _), run in self._changed.items()])
        for device in self._new:
            change(self._connection, FORGET, device, KEPT)


class Arrivals:
    """The table of runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, device: DeviceId, limit: int) -> Deferred[tuple[Run, ...]]:
        """The last runs of a device, newest first."""
        return self._database.read(lambda connection: find_all(connection, _run, OF_DEVICE, device, limit))

    def newest(self) -> Deferred[dict[DeviceId, Run]]:
        """The end of the newest boot of each device."""
        return self._database.read(lambda connection: _by_device(select(connection, NEWEST)))


def _same(first: int | None, second: int | None) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) <= SAME_CLOCK


def _run(row: Row) -> Run:
    return Run(*row)


def _row(run: Run) -> Row:
    return run.boot, run.first, run.last, run.time, run.since, run.until, run.clock, run.late


def _by_device(rows: Iterable[Row]) -> dict[DeviceId, Run]:
    return {device: Run(*columns) for device, *columns in rows}
