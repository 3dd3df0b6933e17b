"""Readings and log lines that were measured before: taken in once, however often they are brought."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial

from msgspec import Struct
from twisted.internet.defer import Deferred

from iotcenter.model import DeviceId, LogLevel, LogLine, Reading, Value
from iotcenter.storage.batch import add_series
from iotcenter.storage.database import Database
from iotcenter.storage.devices import check_device
from iotcenter.storage.fitting import Unfit, fit
from iotcenter.storage.logs import append_lines
from iotcenter.storage.rollups import Row, add_readings
from iotcenter.storage.sql import milliseconds, select
from iotcenter.storage.tiers import DAY

SERIES = "SELECT id, raw_from FROM series WHERE device = ? AND name = ?"
COUNT = "SELECT count(*) FROM series WHERE device = ?"
IS_THERE = "SELECT 1 FROM reading WHERE series = ? AND time = ? AND value = ? AND typeof(value) = typeof(?3)"
LAST_OF_MOMENT = "SELECT coalesce(max(sequence), 0) FROM reading WHERE series = ? AND time = ? AND boot = 0"
LINE_IS_THERE = "SELECT 1 FROM log WHERE device = ? AND time = ? AND text = ?"

BOOT = 0
"""The number of the boot that imported readings have: those of devices begin at 1."""


class Unusable(Struct, frozen=True):
    """One that cannot be used: its place among those that came, from 0 on, and why."""

    place: int
    reason: str


class Imported(Struct, frozen=True):
    """What became of some readings or lines: how many were added, how many had been there, and which cannot be
    used."""

    added: int
    known: int
    refused: tuple[Unusable, ...] = ()


class Imports:
    """The way in for what other programs measured."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def readings(
        self, device: DeviceId, series: str, readings: Sequence[tuple[float, Value]], now: float
    ) -> Deferred[Imported]:
        """Take in readings of a series: Unix times and values. Fails with ``NotFound``.

        The same value at the same time in the same series is the same reading, wherever it comes from.
        """
        made = [Reading(series, value, time) for time, value in readings]
        return self._database.write(partial(_readings, device=device, readings=made, now=now))

    def lines(self, device: DeviceId, lines: Sequence[tuple[float, str]], now: float) -> Deferred[Imported]:
        """Take in lines of a device's log: Unix times and texts. Fails with ``NotFound``."""
        return self._database.write(partial(_lines, device=device, lines=lines, now=now))


def _readings(connection: sqlite3.Connection, device: DeviceId, readings: Sequence[Reading], now: float) -> Imported:
    check_device(connection, device)
    rows: dict[tuple[int, object, type], Row] = {}
    sequences: dict[int, int] = {}
    refused = []
    for place, reading in enumerate(readings):
        try:
            series = _series(connection, device, reading)
            fitted = fit(reading, now)
        except Unfit as unfit:
            refused.append(Unusable(place, str(unfit)))
            continue
        time, value = milliseconds(fitted.time), fitted.value
        key = time, value, type(value)
        if key not in rows and not select(connection, IS_THERE, series, time, value):
            sequences[time] = 1 + (sequences.get(time) or _last_of(connection, series, time))
            rows[key] = series, time, BOOT, sequences[time], value
    add_readings(connection, list(rows.values()))
    return Imported(len(rows), len(readings) - len(rows) - len(refused), tuple(refused))


def _series(connection: sqlite3.Connection, device: DeviceId, reading: Reading) -> int:
    """The number of the series, a new one where there is none. Raises ``Unfit``."""
    found = select(connection, SERIES, device, reading.name)
    if not found:
        [(count,)] = select(connection, COUNT, device)
        return add_series(connection, device, reading.name, count)
    [(number, raw_from)] = found
    if milliseconds(reading.time) < raw_from * DAY.width:
        raise Unfit("readings of that time are not kept any more")
    return int(number)


def _last_of(connection: sqlite3.Connection, series: int, time: int) -> int:
    [(last,)] = select(connection, LAST_OF_MOMENT, series, time)
    return int(last)


def _lines(
    connection: sqlite3.Connection, device: DeviceId, lines: Sequence[tuple[float, str]], now: float
) -> Imported:
    check_device(connection, device)
    new = {
        (milliseconds(time), text): LogLine(time, LogLevel.INFO, text)
        for time, text in lines
        if not select(connection, LINE_IS_THERE, device, milliseconds(time), text)
    }
    append_lines(connection, device, list(new.values()), now)
    return Imported(len(new), len(lines) - len(new))
