"""What was measured: the newest values, and readings of the past, raw or in buckets."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC
from operator import itemgetter
from typing import Any, NamedTuple

from iotcenter.model import DeviceId, Value
from iotcenter.storage.answers import BucketColumns, BucketPage, Columns, Key, Page, Question, RawColumns
from iotcenter.storage.cover import Kept, coarsest, cover, place
from iotcenter.storage.errors import TooMuch
from iotcenter.storage.overlay import between, overlay
from iotcenter.storage.sql import find, milliseconds, seconds, select
from iotcenter.storage.steps import Buckets, fitting, stretches
from iotcenter.storage.sums import Sum, find_sums
from iotcenter.storage.tiers import DAY
from iotcenter.storage.unmerged import Waiting

SERIES = "SELECT id, days_from, hours_from, minutes_from, raw_from FROM series WHERE device = ? AND name = ?"
LATEST = """
    -- CROSS: from each series to its newest reading, and never through all readings.
    SELECT s.device, s.name, r.value, r.time FROM series s CROSS JOIN reading r ON r.series = s.id
    AND (r.time, r.boot, r.sequence) = (
        SELECT time, boot, sequence FROM reading WHERE series = s.id
        ORDER BY time DESC, boot DESC, sequence DESC LIMIT 1)
    WHERE s.device IS NOT NULL
"""
RAW = """
    SELECT time, value FROM reading WHERE series = ?1 AND time >= ?2 AND time < ?3
    ORDER BY time, boot, sequence LIMIT ?4
"""
SPAN = """
    SELECT (SELECT min(time) FROM day WHERE series = ?1), (SELECT min(time) FROM reading WHERE series = ?1),
    (SELECT max(time) FROM day WHERE series = ?1), (SELECT max(time) FROM reading WHERE series = ?1)
"""
NEXT_DAY = "SELECT coalesce(min(time), 0) FROM day WHERE series = ? AND time >= ?"
PAGE = """
    SELECT time, boot, sequence, value FROM reading
    WHERE series = ?1 AND (time, boot, sequence) > (?2, ?3, ?4) AND time < ?5
    ORDER BY time, boot, sequence LIMIT ?6
"""

MOST_READINGS = 10_000
"""Raw readings in one answer: some 300 kB of JSON; a chart has fewer points across."""

MOST_BUCKETS = 2_000
"""Buckets in one answer: as many as a wide chart has points across."""

LAST_TIME = 253_402_300_800_000
"""The year 10000, in milliseconds: beyond it nothing is stored, and calendars end."""

READINGS_OF_A_PAGE = 5_000
"""Readings that are fetched at once on the way to a long CSV: a few milliseconds of work each."""

BUCKETS_OF_A_PAGE = 1_000
"""Buckets that are fetched at once on the way to a long CSV."""


class _Series(NamedTuple):
    """A series, and from when on what is kept of it."""

    number: int
    kept: Kept


def latest(connection: sqlite3.Connection) -> dict[DeviceId, dict[str, tuple[Value, float]]]:
    """The newest value of every series, with its time."""
    found: dict[DeviceId, dict[str, tuple[Value, float]]] = {}
    for device, name, stored, time in select(connection, LATEST):
        found.setdefault(device, {})[name] = (as_value(stored), seconds(time))
    return found


def query(connection: sqlite3.Connection, question: Question, waiting: Sequence[Waiting] = ()) -> Columns:
    """The answer to ``question``, with what is ``waiting`` to be merged into the series, in the order of time.

    Raises ``TooMuch`` where it would be too long.
    """
    series = _find_series(connection, question.device, question.series)
    start, end = max(0, milliseconds(question.start)), min(milliseconds(question.end), LAST_TIME)
    if question.step is not None and question.step <= 0:
        return _raw(connection, series, start, end, _limit(question, MOST_READINGS), waiting)
    limit = _limit(question, MOST_BUCKETS)
    start, end = _within(connection, series, start, end, waiting)
    finest = fitting(start, end, limit, question.zone)
    step = finest if question.step is None else max(1, milliseconds(question.step))
    buckets = Buckets(step, question.zone)
    sums = _sums(connection, series, start, end, buckets)
    if waiting:
        parts = stretches(start, end, question.zone)
        sums = overlay(connection, series.number, sums, waiting, buckets, parts)
    if len(sums) > limit:
        raise _too_much(limit, finest)
    return _columns(sums, step)


def page(
    connection: sqlite3.Connection, device: DeviceId, name: str, start: float, end: float, after: Key | None
) -> Page:
    """The next readings from ``start`` up to ``end``, behind ``after``."""
    series = _find_series(connection, device, name)
    behind = after or (milliseconds(start), -1, -1)
    rows = select(connection, PAGE, series.number, *behind, milliseconds(end), READINGS_OF_A_PAGE)
    more = tuple(rows[-1][:3]) if len(rows) == READINGS_OF_A_PAGE else None
    return Page([(seconds(time), as_value(stored)) for time, _, _, stored in rows], more)


def bucket_page(connection: sqlite3.Connection, question: Question, after: float | None) -> BucketPage:
    """The next buckets of an answer of any length, from ``after`` on, of the step that is asked for or chosen."""
    series = _find_series(connection, question.device, question.series)
    begin = question.start if after is None else after
    start, end = _within(connection, series, milliseconds(begin), milliseconds(question.end))
    first = after is None
    step = fitting(start, end, MOST_BUCKETS, question.zone) if question.step is None else milliseconds(question.step)
    buckets = Buckets(max(1, step), question.zone)
    sums: list[Sum] = []
    while start < end and len(sums) < BUCKETS_OF_A_PAGE:
        [(day,)] = select(connection, NEXT_DAY, series.number, start // DAY.width)
        start = max(start, day * DAY.width)
        stop = min(end, start + BUCKETS_OF_A_PAGE * buckets.step)
        found = _sums(connection, series, start, stop, buckets, first)
        first = False
        # What is cut by the end of this window is asked for again. A day may have 25 hours.
        whole = [one for one in found if stop == end or one.start + 2 * buckets.step <= stop]
        sums += whole
        start = found[len(whole)].start if len(whole) < len(found) else stop
    return BucketPage(_columns(sums, buckets.step), seconds(start) if start < end else None)


def as_value(stored: Any) -> Value:
    """A value as it was measured: truth values are kept as integers, and numbers never are."""
    value: Value = bool(stored) if isinstance(stored, int) else stored
    return value


def _find_series(connection: sqlite3.Connection, device: DeviceId, name: str) -> _Series:
    """The series of that name; one that nothing was ever stored in, where the device never reported it."""
    made = find(
        connection, lambda row: _Series(row[0], Kept(*(day * DAY.width for day in row[1:]))), SERIES, device, name
    )
    return made or _Series(0, Kept())


def _limit(question: Question, most: int) -> int:
    return most if question.limit is None else min(question.limit, most)


def _raw(
    connection: sqlite3.Connection, series: _Series, start: int, end: int, limit: int, waiting: Sequence[Waiting]
) -> RawColumns:
    rows = select(connection, RAW, series.number, start, end, limit + 1)
    if added := between(waiting, start, end):
        rows = sorted([*rows, *added], key=itemgetter(0))
    if len(rows) > limit:
        raise _too_much(limit, fitting(*_within(connection, series, start, end, waiting), limit, UTC))
    return RawColumns([seconds(time) for time, _ in rows], [as_value(stored) for _, stored in rows])


def _sums(
    connection: sqlite3.Connection, series: _Series, start: int, end: int, buckets: Buckets, widened: bool = True
) -> list[Sum]:
    """The buckets from ``start`` up to ``end`` that have readings, in order."""
    parts = stretches(start, end, buckets.zone)
    pieces = cover(start, end, coarsest(buckets.step, parts), series.kept, widened)
    sums: dict[int, Sum] = {}
    for placed in place(pieces, parts):
        for number, *found in find_sums(connection, series.number, placed, buckets.step):
            begins = buckets.start(number, placed.offset)
            sums.setdefault(begins, Sum(begins)).add(*found)
    return [sums[begins] for begins in sorted(sums)]


def _within(
    connection: sqlite3.Connection, series: _Series, start: int, end: int, waiting: Sequence[Waiting] = ()
) -> tuple[int, int]:
    """That part of the time from ``start`` up to ``end`` in which there are readings."""
    found = _span(connection, series)
    ends = [*found, *(time for time, _ in waiting[:1]), *(time + 1 for time, _ in waiting[-1:])]
    return (max(start, min(ends)), min(end, max(ends))) if ends else (0, 0)


def _span(connection: sqlite3.Connection, series: _Series) -> tuple[int, ...]:
    """From when up to when there are readings of a series in the tables; empty where there are none."""
    [(first_day, first, last_day, last)] = select(connection, SPAN, series.number)
    if first_day is None:
        return ()
    if first is None or series.kept.raw > first_day * DAY.width:  # raw readings are not kept from the beginning
        first = first_day * DAY.width
    if last is None:
        last = (last_day + 1) * DAY.width - 1
    return first, last + 1


def _too_much(limit: int, step: int) -> TooMuch:
    step //= 1000
    return TooMuch(f"That is more than {limit} rows: ask for a shorter time, or with a step of {step} seconds.", step)


def _columns(sums: list[Sum], step: int) -> BucketColumns:
    return BucketColumns(
        t=[seconds(one.start) for one in sums],
        count=[one.count for one in sums],
        min=[one.low for one in sums],
        max=[one.high for one in sums],
        mean=[one.mean for one in sums],
        last=[as_value(one.last) for one in sums],
        step=seconds(step),
    )
