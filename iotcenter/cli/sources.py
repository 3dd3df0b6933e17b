"""The files that ``iotcenter import`` reads: CSV, and the database of IotCenter 1."""

from __future__ import annotations

import csv
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, AnyStr, NamedTuple, Protocol

from iotcenter.cli.errors import CommandError
from iotcenter.model import FAR_FUTURE, Value
from iotcenter.web.api.tables import value_of
from iotcenter.web.when import BadTime, parse_time

SQLITE = b"SQLite format 3\0"

TITLES = ("device", "series", "time", "value")

LONGEST = 4096
"""Characters of a text that is sent: as many as a line of a log may have."""

LONGEST_LINE = 256 * 1024
"""The longest line of a CSV, in bytes or characters, which holds many such texts: a file without ends of lines is read
as one, and would take all memory."""

NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9:./_-]+")

IN_MILLISECONDS = 1e11
"""Numbers above this are milliseconds since 1970; as seconds they would be in the year 5138."""

READINGS = """
    SELECT readings.rowid, devices.hex, sensors.name, readings.time, readings.numberValue FROM readings
    LEFT JOIN devices ON devices.id = readings.deviceId LEFT JOIN sensors ON sensors.id = readings.sensorId
    ORDER BY readings.deviceId, readings.sensorId, readings.time
"""
LINES = """
    SELECT logs.rowid, devices.hex, NULL, logs.time, logs.text FROM logs
    LEFT JOIN devices ON devices.id = logs.deviceId ORDER BY logs.deviceId, logs.time
"""
COUNT = "SELECT (SELECT count(*) FROM readings) + (SELECT count(*) FROM logs)"


class Line(NamedTuple):
    """One reading, or one line of a log where ``series`` is None. ``number`` is that of the row in the file."""

    number: int
    device: str
    series: str | None
    time: float
    value: Value

    @property
    def long(self) -> bool:
        """Whether its value may be longer than a number."""
        return isinstance(self.value, str)


class Unusable(NamedTuple):
    """A row that cannot be used, and why."""

    number: int
    reason: str


class Source(Protocol):
    """A file that is open."""

    count: int
    """How many rows there are."""

    def rows(self) -> Iterator[Line | Unusable]:
        """All that is in it."""


@contextmanager
def open_source(path: Path, device: str | None, names: Mapping[str, str]) -> Iterator[Source]:
    """The file in ``path``. ``device`` is whose readings they are where the file does not say; ``names`` are what
    devices are called here. Raises ``CommandError``.
    """
    try:
        with path.open("rb") as file:
            begins = file.read(len(SQLITE))
        if begins == SQLITE:
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            try:
                yield OldDatabase(connection, names)
            finally:
                connection.close()
        else:
            yield Table(path, device, names)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except sqlite3.Error as error:
        raise CommandError(f"{path} is no database of IotCenter 1: {error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path} is no CSV in UTF-8: {error}") from None


class Table:
    """CSV with the columns device, series, time and value in any order; or as ``iotcenter readings --csv`` writes it,
    of one device: time, and the series with its unit."""

    def __init__(self, path: Path, device: str | None, names: Mapping[str, str]) -> None:
        self._path = path
        self._device = device
        self._names = names
        with path.open("rb") as file:
            self.count = sum(1 for _ in _lines(path, file))

    def rows(self) -> Iterator[Line | Unusable]:
        """All that is in it. Raises ``CommandError`` where the first line does not name the columns."""
        with self._path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(_lines(self._path, file))
            titles = [title.strip() for title in next(reader, [])]
            series = self._series(titles)
            lowered = [title.lower() for title in titles] if series is None else ["time", "value"]
            for row in reader:
                if row:
                    yield self._line(reader.line_num, dict(zip(lowered, row, strict=False)), series)

    def _series(self, titles: list[str]) -> str | None:
        """The series of all rows, where the titles name it; None where each row does."""
        if not set(TITLES) - {title.lower() for title in titles} - ({"device"} if self._device else set()):
            return None
        if len(titles) == 2 and titles[0] == "time" and self._device:
            return titles[1].partition(" (")[0]
        missing = "" if self._device else " (a file of one device alone needs --device)"
        raise CommandError(f"{self._path}: the first line must name the columns device, series, time, value{missing}")

    def _line(self, number: int, cells: Mapping[str, str], series: str | None) -> Line | Unusable:
        device = cells.get("device") or self._device
        series = series or cells.get("series")
        if not device or not series or not cells.get("time") or not cells.get("value"):
            return Unusable(number, "a cell is empty")
        try:
            time = parse_time(cells["time"], 0.0)
        except BadTime:
            return Unusable(number, f"its time is {cells['time'][:40]!r}; it must be Unix seconds, or ISO 8601")
        value = value_of(cells["value"])
        if isinstance(value, str) and len(value) > LONGEST:
            return Unusable(number, f"its text is longer than {LONGEST} characters")
        return Line(number, self._names.get(device, device), series, time, value)


def _lines(path: Path, file: IO[AnyStr]) -> Iterator[AnyStr]:
    """The lines of a file. Raises ``CommandError`` at one that is too long."""
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise CommandError(f"{path} is no CSV: a line is longer than {LONGEST_LINE} characters")
        yield line


class OldDatabase:
    """The database of IotCenter 1. Its devices are called by their hexadecimal ids, unless they are given a name."""

    def __init__(self, connection: sqlite3.Connection, names: Mapping[str, str]) -> None:
        self._connection = connection
        self._names = names
        [self.count] = connection.execute(COUNT).fetchone()

    def rows(self) -> Iterator[Line | Unusable]:
        """All readings, then all lines of logs."""
        for query in (READINGS, LINES):
            for row in self._connection.execute(query):
                yield self._line(*row)

    def _line(self, number: int, device: object, sensor: object, time: object, value: object) -> Line | Unusable:
        if device is None:
            return Unusable(number, "its device is not in the table of devices")
        if value is None:
            return Unusable(number, "it has no value")
        moment = _moment(time)
        if moment is None:
            return Unusable(number, f"its time is {str(time)[:40]!r}")
        name = device.hex() if isinstance(device, bytes) else str(device).lower().replace(":", "")
        series = None if sensor is None else NOT_IN_A_NAME.sub("-", str(sensor))
        kept = float(value) if isinstance(value, int | float) else str(value)[:LONGEST]
        return Line(number, self._names.get(name, name), series, moment, kept)


def _moment(time: object) -> float | None:
    """Unix seconds of a time as the old database may have it."""
    if isinstance(time, int | float):
        moment = time / 1000 if time > IN_MILLISECONDS else float(time)
        return moment if 0 <= moment < FAR_FUTURE else None
    try:
        return parse_time(str(time), 0.0)
    except BadTime:
        return None
