"""What a batch of readings writes: the readings, and the minutes, hours and days in which they fall.

Every bucket holds what the raw readings in it give, whatever the order in which they came. New readings are grouped,
and each group is added to its bucket: that costs as much as the batch, and not as the bucket. Where a day or an hour
stops having few readings, its finer buckets are made from the raw ones; so is all of a day that is reckoned anew.

Minutes are summed up here, in a few calls for each; all else is SQL, during which the interpreter is free for the
reactor.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from iotcenter.storage.sql import insert, select
from iotcenter.storage.tiers import DAY, HOUR, MINUTE, TIERS, Tier, finer

Row = tuple[int, int, int, int, Any]
"""Number of the series, time in Unix milliseconds, number of the boot, sequence, value."""

NEW = """
    CREATE TEMP TABLE IF NOT EXISTS new_{} (
        series, time, count, texts, total REAL, low REAL, high REAL, PRIMARY KEY (series, time)) WITHOUT ROWID
"""
ADD_READINGS = "OR IGNORE INTO reading"
ADD_MINUTES = "INTO new_minute"
NUMBER = "CASE WHEN typeof(value) <> 'text' THEN value END"
TOTAL = "coalesce(total(total), 0)"
"""The sum of sums. Those of numbers near the largest are infinite, and of two that are, one each way, SQLite makes
NULL. No bucket may hold that: a device that sends such numbers would hold up the merge of all."""

SUMS = f"count(*), sum(typeof(value) = 'text'), total({NUMBER}), min({NUMBER}), max({NUMBER})"
GROUP = {
    HOUR: f"""
        INSERT INTO new_hour SELECT series, time / 60, sum(count), sum(texts), {TOTAL}, min(low), max(high)
        FROM new_minute GROUP BY 1, 2
    """,
    DAY: f"""
        INSERT INTO new_day SELECT series, time / 24, sum(count), sum(texts), {TOTAL}, min(low), max(high)
        FROM new_hour GROUP BY 1, 2
    """,
}
UNRECKONED = "SELECT series, time FROM new_day CROSS JOIN day USING (series, time) WHERE day.count = 0"
TOUCHED = "SELECT series, time FROM new_day"
LEAVE_OUT = {
    MINUTE: "DELETE FROM new_minute WHERE series = ? AND time / 1440 = ?",
    HOUR: "DELETE FROM new_hour WHERE series = ? AND time / 24 = ?",
    DAY: "DELETE FROM new_day WHERE series = ? AND time = ?",
}


def _last(tier: Tier, bucket: str) -> str:
    """The newest reading of a bucket. Readings of one moment have the order in which they were made."""
    return f"""(
        SELECT value FROM reading WHERE reading.series = {bucket}.series
        AND reading.time >= {bucket}.time * {tier.width} AND reading.time < ({bucket}.time + 1) * {tier.width}
        ORDER BY reading.time DESC, boot DESC, sequence DESC LIMIT 1)"""


def _add(tier: Tier, which: str) -> str:
    """Adds the new readings of ``tier`` to its buckets, those of which ``which`` is true."""
    return f"""
        INSERT INTO {tier.table}
        SELECT series, time, count, texts, total, low, high, {_last(tier, "new")} FROM new_{tier.table} AS new
        WHERE {which} ON CONFLICT (series, time) DO UPDATE SET
        count = count + excluded.count, texts = texts + excluded.texts, total = coalesce(total + excluded.total, 0),
        low = coalesce(min(low, excluded.low), low, excluded.low),
        high = coalesce(max(high, excluded.high), high, excluded.high), last = excluded.last
    """


def _was_many(tier: Tier, inner: Tier) -> str:
    """Whether the bucket of ``tier`` around a new one of ``inner`` has had finer buckets all along."""
    around = f"series = new.series AND time = new.time / {tier.width // inner.width}"
    return f"""
        (SELECT count FROM {tier.table} WHERE {around})
        - (SELECT count FROM new_{tier.table} WHERE {around}) > {tier.few}"""


ADD = {
    DAY: _add(DAY, "true"),
    HOUR: _add(HOUR, _was_many(DAY, HOUR)),
    MINUTE: _add(MINUTE, _was_many(HOUR, MINUTE)),
}


def _many_now(tier: Tier) -> str:
    """The touched buckets that had few readings before, and have many now."""
    return f"""
        SELECT series, time FROM new_{tier.table} AS new CROSS JOIN {tier.table} USING (series, time)
        WHERE {tier.table}.count > {tier.few} AND {tier.table}.count - new.count <= {tier.few}
    """


MANY_NOW = {DAY: _many_now(DAY), HOUR: _many_now(HOUR)}
MANY = {
    tier: f"SELECT time FROM {tier.table} WHERE series = ? AND time >= ? AND time < ? AND count > {tier.few}"
    for tier in (DAY, HOUR)
}
BUILD = {
    tier: f"""
        INSERT INTO {tier.table}
        SELECT new.*, {_last(tier, "new")} FROM (
            SELECT series, time / {tier.width} AS time, {SUMS}
            FROM reading WHERE series = ? AND time >= ? AND time < ? GROUP BY 2) AS new
    """
    for tier in TIERS
}
SLIM = {
    tier: f"""
        UPDATE {tier.table} SET total = 0, low = NULL, high = NULL
        WHERE series = ? AND time >= ? AND time < ? AND count = 1
    """
    for tier in TIERS
}
EMPTY = {tier: f"DELETE FROM {tier.table} WHERE series = ? AND time >= ? AND time < ?" for tier in TIERS}
TO_RECKON = "SELECT series, time FROM day WHERE count = 0 LIMIT ?"


def add_readings(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Write ``rows``, and add them to the buckets in which they fall. A reading that is there stays as it is."""
    ordered = sorted(rows)
    added = insert(connection, ADD_READINGS, ordered)
    _group(connection, ordered)
    for series, day in select(connection, UNRECKONED if added == len(ordered) else TOUCHED):
        reckon(connection, series, day)
        for tier in TIERS:
            connection.execute(LEAVE_OUT[tier], (series, day))
    for tier in TIERS:
        connection.execute(ADD[tier])
        if tier in MANY_NOW:
            _make_finer(connection, tier, finer(tier))


def reckon(connection: sqlite3.Connection, series: int, day: int) -> None:
    """Make all buckets of a day anew, from the raw readings."""
    for tier in TIERS:
        per_day = DAY.width // tier.width
        connection.execute(EMPTY[tier], (series, day * per_day, (day + 1) * per_day))
    build(connection, DAY, series, day, day + 1)
    for tier, inner in pairwise(TIERS):
        per_day, factor = DAY.width // tier.width, tier.width // inner.width
        for (time,) in select(connection, MANY[tier], series, day * per_day, (day + 1) * per_day):
            build(connection, inner, series, time * factor, (time + 1) * factor)


def to_reckon(connection: sqlite3.Connection, limit: int) -> list[tuple[int, int]]:
    """Series and days that are still to be reckoned."""
    return [(series, day) for series, day in select(connection, TO_RECKON, limit)]


def _group(connection: sqlite3.Connection, ordered: Sequence[Row]) -> None:
    """Sum ``ordered`` readings up, for each tier in a table of its own."""
    for tier in TIERS:
        connection.execute(NEW.format(tier.table))
        connection.execute(f"DELETE FROM new_{tier.table}")
    insert(connection, ADD_MINUTES, list(_minutes(ordered)))
    for tier in (HOUR, DAY):
        connection.execute(GROUP[tier])


def _minutes(ordered: Sequence[Row]) -> Iterator[tuple[Any, ...]]:
    """The rows of ``new_minute`` that ``ordered`` readings give."""
    start = 0
    while start < len(ordered):
        series, time = ordered[start][:2]
        minute = time // MINUTE.width
        end = bisect_left(ordered, (series, (minute + 1) * MINUTE.width), start)
        numbers = [row[4] for row in ordered[start:end] if type(row[4]) is not str]
        low, high = (min(numbers), max(numbers)) if numbers else (None, None)
        yield series, minute, end - start, end - start - len(numbers), sum(numbers), low, high
        start = end


def _make_finer(connection: sqlite3.Connection, tier: Tier, inner: Tier) -> None:
    """Give finer buckets to those of ``tier`` that stopped having few readings."""
    factor = tier.width // inner.width
    for series, time in select(connection, MANY_NOW[tier]):
        build(connection, inner, series, time * factor, (time + 1) * factor)


def build(connection: sqlite3.Connection, tier: Tier, series: int, first: int, end: int) -> None:
    """Make the buckets of ``tier`` from ``first`` up to ``end``, of which there are none."""
    connection.execute(BUILD[tier], (series, first * tier.width, end * tier.width))


def slim(connection: sqlite3.Connection, tier: Tier, series: int, first: int, end: int) -> None:
    """Keep of lone readings the value alone, which is their sum, the least and the greatest too.

    A bucket of one is then no larger than its reading was. To be done where nothing can be added any more.
    """
    connection.execute(SLIM[tier], (series, first, end))
