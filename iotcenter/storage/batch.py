"""What one commit writes of reports: numbered, timed and checked one by one, written all together.

Everything here but ``Outcome`` is used on the writer's thread alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import count as numbers_from
from itertools import repeat

from msgspec import Struct

from iotcenter.model import DeviceId, Reading
from iotcenter.storage.admission import check_new_name, check_time
from iotcenter.storage.arrivals import ArrivalNotes, Run
from iotcenter.storage.entries import damaged, numbered, size, within
from iotcenter.storage.errors import NotFound, StorageError
from iotcenter.storage.fitting import Unfit, all_fit, fit
from iotcenter.storage.progress import Progress, Range, unpacked
from iotcenter.storage.rollups import Row, add_readings
from iotcenter.storage.sql import change, find, insert, milliseconds, select
from iotcenter.storage.times import LATE
from iotcenter.wire.codec import DamagedReport
from iotcenter.wire.messages import Refusal, Report

ADD_SERIES = "INSERT INTO series (device, name) VALUES (?, ?) RETURNING id"
PROGRESS = "SELECT high, gaps FROM progress WHERE device = ? AND boot = ?"
NUMBER = "SELECT number FROM progress WHERE device = ? AND boot = ?"
LAST_NUMBER = "SELECT coalesce(max(number), 0) FROM progress WHERE device = ?"
SET_PROGRESS = "OR REPLACE INTO progress (device, boot, number, high, gaps, changed)"
FORGET_BOOTS = """
    -- The last number stays, so that none is ever given twice.
    DELETE FROM progress WHERE device = ?1 AND boot IN (
        SELECT boot FROM progress WHERE device = ?1 ORDER BY changed DESC LIMIT -1 OFFSET ?2)
    AND number < (SELECT max(number) FROM progress WHERE device = ?1)
"""
ACCOUNT = "INTO account (device, received, duplicates, late, refused)"
ADD_TO_ACCOUNT = """
    ON CONFLICT (device) DO UPDATE SET
    received = received + excluded.received, duplicates = duplicates + excluded.duplicates, late = late + excluded.late,
    refused = refused + excluded.refused
"""

BOOTS_KEPT = 1000
"""Boots of a device of which it is known what came, the last that reported: restarting all the time fills no disk."""

BOOTS_AT_HAND = 4
"""Boots of a device that are kept in memory: the present one, and those from which a spool is being emptied."""


class Outcome(Struct, frozen=True):
    """What became of a report. With ``error`` nothing of it is stored, and the device shall send it again.

    ``new`` are the readings that were stored, with absolute times, and ``late`` is how many of those were more than a
    minute old. ``refused`` will never be stored; ``duplicates`` had come before, and changed nothing.
    """

    new: tuple[Reading, ...] = ()
    refused: tuple[Refusal, ...] = ()
    duplicates: int = 0
    late: int = 0
    error: StorageError | None = None


class Known:
    """What is at hand of a device that reports: the numbers of its series, and its last boots: their numbers, and the
    progress of each."""

    def __init__(self, device: DeviceId, series: Iterable[tuple[str, int, float]]) -> None:
        self.device = device
        self.series: dict[str, int] = {}
        self.kept_from: dict[str, float] = {}
        for name, number, start in series:
            self.series[name] = number
            if start:
                self.kept_from[name] = start
        self.all_kept_from = max(self.kept_from.values(), default=0.0)
        """From when on readings of every one of its series are kept."""
        self.boots: dict[int, Progress] = {}
        self.numbers: dict[int, int] = {}

    def trim(self) -> None:
        """Let go of the boots that were at hand for longest, where there are many."""
        for boot in list(self.boots)[:-BOOTS_AT_HAND]:
            del self.boots[boot], self.numbers[boot]


def add_series(connection: sqlite3.Connection, device: DeviceId, name: str, count: int) -> int:
    """The number of a new series of a device that has ``count``. Raises ``Unfit``."""
    check_new_name(name, count)
    [(number,)] = select(connection, ADD_SERIES, device, name)
    return int(number)


class Batch:
    """What one commit writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._readings: list[Row] = []
        self._progress: dict[tuple[DeviceId, int], tuple[int, Progress, float]] = {}
        self._accounts: dict[DeviceId, tuple[int, int, int, int]] = {}
        self._arrivals = ArrivalNotes(connection)
        self._new_boots: set[DeviceId] = set()

    def take(self, known: Known | None, report: Report | DamagedReport, received: float) -> Outcome:
        """Number, time and check the readings of one report."""
        if known is None:
            return Outcome(error=NotFound("There is no such device."))
        count, readings, bad = size(report), numbered(report), damaged(report)
        fresh = self._advance(known, report, count, received)
        unseen = sum(last - first + 1 for first, last in fresh)
        if unseen < count:
            readings, bad = within(fresh, readings), within(fresh, bad)
        elif (outcome := self._take_plain(known, report, received)) is not None:
            self._enter(known, report, fresh, outcome, received)
            return outcome
        number, new = known.numbers[report.boot], []
        refused = [Refusal(sequence, reason) for sequence, reason in bad]
        for sequence, sent in readings:
            try:
                reading = fit(sent, received)
                series = known.series.get(reading.name) or self._add_series(known, reading.name)
                if known.kept_from:
                    check_time(reading, known.kept_from.get(reading.name, 0.0))
            except Unfit as unfit:
                refused.append(Refusal(sequence, str(unfit)))
                continue
            self._readings.append((series, milliseconds(reading.time), number, sequence, reading.value))
            new.append(reading)
        late = sum(received - reading.time > LATE for reading in new)
        outcome = Outcome(tuple(new), tuple(refused), count - unseen, late)
        self._enter(known, report, fresh, outcome, received)
        return outcome

    def _take_plain(self, known: Known, report: Report | DamagedReport, received: float) -> Outcome | None:
        """Take a report of which all is new, and nothing is refused or needs another look, as nearly always; None for
        all others, which are looked at reading by reading."""
        if not isinstance(report, Report):
            return None
        times = [reading.time for reading in report.readings]
        values = [reading.value for reading in report.readings]
        if not all_fit(times, values, received, known.all_kept_from):
            return None
        try:
            series = [known.series[reading.name] for reading in report.readings]
        except KeyError:
            return None
        placed = [round(time * 1000) for time in times]
        number = known.numbers[report.boot]
        self._readings += zip(series, placed, repeat(number), numbers_from(report.sequence), values, strict=False)
        late = sum(received - time > LATE for time in times) if received - min(times) > LATE else 0
        return Outcome(report.readings, late=late)

    def _enter(
        self,
        known: Known,
        report: Report | DamagedReport,
        fresh: tuple[Range, ...],
        outcome: Outcome,
        received: float,
    ) -> None:
        """Note what became of a report."""
        self._count(known.device, outcome)
        if outcome.new:
            self._note_arrival(known.device, report, fresh, outcome, received)

    def write(self) -> None:
        """Write all that was taken."""
        add_readings(self._connection, self._readings)
        progress = [
            (device, boot, number, progress.high, progress.packed_gaps(), milliseconds(received))
            for (device, boot), (number, progress, received) in self._progress.items()
        ]
        insert(self._connection, SET_PROGRESS, progress)
        for device in self._new_boots:
            change(self._connection, FORGET_BOOTS, device, BOOTS_KEPT)
        accounts = [(device, *numbers) for device, numbers in self._accounts.items()]
        insert(self._connection, ACCOUNT, accounts, ADD_TO_ACCOUNT)
        self._arrivals.write()

    def _advance(self, known: Known, report: Report | DamagedReport, count: int, received: float) -> tuple[Range, ...]:
        """Which of the report's sequence numbers had not come before; from now on they have."""
        progress = known.boots.get(report.boot) or self._load_progress(known, report.boot)
        known.boots[report.boot], fresh = progress.add(report.sequence, report.sequence + count - 1)
        if fresh:
            number = known.numbers[report.boot]
            self._progress[known.device, report.boot] = number, known.boots[report.boot], received
        return fresh

    def _load_progress(self, known: Known, boot: int) -> Progress:
        progress = find(self._connection, unpacked, PROGRESS, known.device, boot)
        if progress is None:
            self._new_boots.add(known.device)
            known.numbers[boot] = self._next_number(known)
            return Progress()
        [(known.numbers[boot],)] = select(self._connection, NUMBER, known.device, boot)
        return progress

    def _next_number(self, known: Known) -> int:
        """A number that no boot of the device had: this batch may have given some that are not written yet."""
        [(last,)] = select(self._connection, LAST_NUMBER, known.device)
        return 1 + max([int(last), *known.numbers.values()])

    def _add_series(self, known: Known, name: str) -> int:
        number = known.series[name] = add_series(self._connection, known.device, name, len(known.series))
        return number

    def _count(self, device: DeviceId, outcome: Outcome) -> None:
        received, duplicates, late, refused = self._accounts.get(device, (0, 0, 0, 0))
        self._accounts[device] = (
            received + len(outcome.new),
            duplicates + outcome.duplicates,
            late + outcome.late,
            refused + len(outcome.refused),
        )

    def _note_arrival(
        self,
        device: DeviceId,
        report: Report | DamagedReport,
        fresh: tuple[Range, ...],
        outcome: Outcome,
        received: float,
    ) -> None:
        came, newest = milliseconds(received), milliseconds(outcome.new[-1].time)
        clock = milliseconds(report.time) - came if report.time else None
        run = Run(report.boot, fresh[0][0], fresh[-1][1], newest, came, came, clock, outcome.late)
        self._arrivals.note(device, run)
