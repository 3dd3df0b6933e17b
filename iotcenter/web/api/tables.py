"""Readings and events as CSV, for spreadsheets and programs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from datetime import datetime, tzinfo

from iotcenter.model import Event, UnitSystem, Value
from iotcenter.storage.answers import BucketColumns
from iotcenter.web.conversions import conversion

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would take for a formula: devices write what they like."""


NUMBER = re.compile(r"[+-]?(\d{1,320}(\.\d{0,320})?|\.\d{1,320})([eE][+-]?\d{1,4})?", re.ASCII)
"""A cell that is a number. A text that looks like one, or like a truth value, is marked like a formula."""


class Table:
    """The readings of one series as lines of CSV. Times are ISO 8601 in ``zone``, with their offset; values are in
    ``units``."""

    def __init__(self, series: str, unit: str, zone: tzinfo, units: UnitSystem = UnitSystem.DECLARED) -> None:
        self._conversion = conversion(unit, units)
        shown = self._conversion.unit if self._conversion is not None else unit
        self._title = f"{series} ({shown})" if shown else series
        self._zone = zone

    def raw_titles(self) -> bytes:
        """The first line of raw readings."""
        return _lines([["time", self._title]])

    def raw(self, readings: Iterable[tuple[float, Value]]) -> bytes:
        """The lines of some raw readings."""
        return _lines([_moment(time, self._zone), _cell(self._converted(value))] for time, value in readings)

    def bucket_titles(self) -> bytes:
        """The first line of readings in buckets."""
        return _lines([["time", "count", *(f"{what} {self._title}" for what in ("min", "max", "mean", "last"))]])

    def buckets(self, columns: BucketColumns) -> bytes:
        """The lines of some readings in buckets."""
        rows = zip(columns.t, columns.count, columns.min, columns.max, columns.mean, columns.last, strict=True)
        return _lines(
            [_moment(time, self._zone), _cell(count), *map(_cell, map(self._converted, cells))]
            for time, count, *cells in rows
        )

    def _converted(self, value: Value | None) -> Value | None:
        if self._conversion is None or not isinstance(value, float | int) or isinstance(value, bool):
            return value
        return self._conversion.value(value)


def event_titles() -> bytes:
    """The first line of events."""
    return _lines([["time", "kind", "actor", "object", "text"]])


def event_lines(events: Iterable[Event], zone: tzinfo) -> bytes:
    """The lines of some events, with times in ``zone``."""
    rows = ((one.time, (one.kind, one.actor, one.object, one.text)) for one in events)
    return _lines([_moment(time, zone), *map(_cell, cells)] for time, cells in rows)


def _moment(time: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(time, zone).isoformat(timespec="milliseconds")


def value_of(cell: str) -> Value:
    """The value that a cell was written for."""
    if cell in ("true", "false"):
        return cell == "true"
    return float(cell) if NUMBER.fullmatch(cell) else cell.removeprefix("'")


def _cell(value: Value | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        marked = value in ("", "true", "false") or value.startswith((*FORMULAS, "'")) or NUMBER.fullmatch(value)
        return f"'{value}" if marked else value
    return repr(value)


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
