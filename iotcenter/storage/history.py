"""What was measured: the newest values, and readings of the past, raw or in buckets."""

from __future__ import annotations

import sqlite3
from typing import Any

from msgspec import Struct

from iotcenter.model import DeviceId, Value
from iotcenter.storage.errors import TooMuch
from iotcenter.storage.sql import Row, milliseconds, seconds, select

SERIES_NUMBER = "SELECT id FROM series WHERE device = ? AND name = ?"
LATEST = """
    -- CROSS: from each series to its newest reading, and never through all readings.
    SELECT s.device, s.name, r.value, r.time FROM series s CROSS JOIN reading r ON r.series = s.id
    AND (r.time, r.boot, r.sequence) = (
        SELECT time, boot, sequence FROM reading WHERE series = s.id
        ORDER BY time DESC, boot DESC, sequence DESC LIMIT 1)
"""
RANGE = "series = ?1 AND time >= ?2 AND time < ?3"
RAW = f"SELECT time, value FROM reading WHERE {RANGE} ORDER BY time, boot, sequence LIMIT ?4"
SPAN = f"SELECT (SELECT min(time) FROM reading WHERE {RANGE}), (SELECT max(time) FROM reading WHERE {RANGE})"
BUCKETS = f"""
    SELECT bucket, readings, low, high, mean, (
        SELECT value FROM reading WHERE series = ?1 AND time >= max(bucket, ?2) AND time < min(bucket + ?5, ?3)
        ORDER BY time DESC, boot DESC, sequence DESC LIMIT 1)
    FROM (
        SELECT
            time / ?5 * ?5 AS bucket, count(*) AS readings, min(number) AS low, max(number) AS high, avg(number) AS mean
        FROM (SELECT time, CASE WHEN typeof(value) <> 'text' THEN value END AS number FROM reading WHERE {RANGE})
        GROUP BY bucket ORDER BY bucket LIMIT ?4)
"""
PAGE = """
    SELECT time, boot, sequence, value FROM reading
    WHERE series = ?1 AND (time, boot, sequence) > (?2, ?3, ?4) AND time < ?5
    ORDER BY time, boot, sequence LIMIT ?6
"""

MOST_READINGS = 10_000
"""Raw readings in one answer: some 300 kB of JSON; a chart has fewer points across."""

MOST_BUCKETS = 2_000
"""Buckets in one answer: as many as a wide chart has points across."""

STEPS = (60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 7 * 86400, 30 * 86400)
"""Steps that people think in, in seconds; at the longest, the years from 2001 on are a few hundred buckets."""

READINGS_OF_A_PAGE = 5_000
"""Readings that are fetched at once on the way to a long CSV: a few milliseconds of work each."""

Key = tuple[int, int, int]
"""Where a page ended: time, boot and sequence of its last reading."""


class RawColumns(Struct, frozen=True):
    """Readings as they came: Unix times, and values."""

    t: list[float]
    v: list[Value]


class BucketColumns(Struct, frozen=True):
    """Readings in buckets: when each begins, and what is in it. Texts have no ``min``, ``max`` and ``mean``."""

    t: list[float]
    count: list[int]
    min: list[float | None]
    max: list[float | None]
    mean: list[float | None]
    last: list[Value]


Columns = RawColumns | BucketColumns


class Page(Struct, frozen=True):
    """A piece of a long answer: times and values, and where to go on; without ``after`` it was the last."""

    readings: list[tuple[float, Value]]
    after: Key | None


def latest(connection: sqlite3.Connection) -> dict[DeviceId, dict[str, tuple[Value, float]]]:
    """The newest value of every series, with its time."""
    found: dict[DeviceId, dict[str, tuple[Value, float]]] = {}
    for device, name, stored, time in select(connection, LATEST):
        found.setdefault(device, {})[name] = (_value(stored), seconds(time))
    return found


def query(
    connection: sqlite3.Connection,
    device: DeviceId,
    name: str,
    start: float,
    end: float,
    step: float,
    limit: int | None,
) -> Columns:
    """Readings from ``start`` up to ``end``: raw, or by the multiples of ``step`` since 1970 in which they fall.

    Raises ``TooMuch`` where the answer would be longer than ``limit``, which cannot raise the bounds above.
    """
    most = MOST_READINGS if step <= 0 else MOST_BUCKETS
    limit = most if limit is None else min(limit, most)
    number = _number(connection, device, name)
    bounds = milliseconds(start), milliseconds(end)
    if step <= 0:
        rows = select(connection, RAW, number, *bounds, limit + 1)
    else:
        rows = select(connection, BUCKETS, number, *bounds, limit + 1, max(1, milliseconds(step)))
    if len(rows) > limit:
        raise _too_much(connection, number, bounds, limit)
    return _raw(rows) if step <= 0 else _buckets(rows)


def page(
    connection: sqlite3.Connection, device: DeviceId, name: str, start: float, end: float, after: Key | None
) -> Page:
    """The next readings from ``start`` up to ``end``, behind ``after``."""
    number = _number(connection, device, name)
    behind = after or (milliseconds(start), -1, -1)
    rows = select(connection, PAGE, number, *behind, milliseconds(end), READINGS_OF_A_PAGE)
    more = tuple(rows[-1][:3]) if len(rows) == READINGS_OF_A_PAGE else None
    return Page([(seconds(time), _value(stored)) for time, _, _, stored in rows], more)


def _number(connection: sqlite3.Connection, device: DeviceId, name: str) -> int:
    """The number of a series; one that no series has, where the device never reported it."""
    [(number,)] = select(connection, SERIES_NUMBER, device, name) or [(0,)]
    return int(number)


def _too_much(connection: sqlite3.Connection, number: int, bounds: tuple[int, int], limit: int) -> TooMuch:
    [(first, last)] = select(connection, SPAN, number, *bounds)
    span = seconds(last - first)
    step = next((step for step in STEPS if span / step < limit - 1), STEPS[-1])
    return TooMuch(f"That is more than {limit} rows: ask for a shorter time, or with a step of {step} seconds.", step)


def _raw(rows: list[Row]) -> RawColumns:
    return RawColumns([seconds(time) for time, _ in rows], [_value(stored) for _, stored in rows])


def _buckets(rows: list[Row]) -> BucketColumns:
    times, counts, lows, highs, means, lasts = map(list, zip(*rows, strict=True)) if rows else ([], [], [], [], [], [])
    return BucketColumns(
        t=[seconds(time) for time in times],
        count=counts,
        min=[_float(low) for low in lows],
        max=[_float(high) for high in highs],
        mean=means,
        last=[_value(stored) for stored in lasts],
    )


def _value(stored: Any) -> Value:
    """A value as it was measured: truth values are kept as integers, and numbers never are."""
    value: Value = bool(stored) if isinstance(stored, int) else stored
    return value


def _float(number: float | None) -> float | None:
    return None if number is None else float(number)
