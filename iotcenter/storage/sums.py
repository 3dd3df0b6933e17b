"""Buckets of readings: how they are found in a tier, and how parts of the same bucket become one."""

from __future__ import annotations

import sqlite3
from typing import Any

from iotcenter.storage.cover import PlacedPiece
from iotcenter.storage.rollups import TOTAL
from iotcenter.storage.sql import select
from iotcenter.storage.steps import MONDAY
from iotcenter.storage.tiers import DAY, LEVELS, RAW, TIERS, Tier

NUMBER = "CASE WHEN typeof(r.value) <> 'text' THEN r.value END"
READING = f"SELECT r.time * 2 + 1 AS moment, 1 AS count, typeof(r.value) = 'text' AS texts, {NUMBER} AS total"
READING = f"{READING}, {NUMBER} AS low, {NUMBER} AS high"

LONE = "CASE WHEN low IS NULL AND texts = 0 THEN last ELSE"
"""Of one number that is alone in its bucket, nothing else may be there: see ``rollups.slim``."""

SUMMED = f"count, texts, {LONE} total END AS total, {LONE} low END AS low, {LONE} high END AS high"


def _raw_of(outer: Tier, which: str) -> str:
    """The raw readings of those buckets of ``outer`` that have no finer ones."""
    width = outer.width
    return f"""
        {READING} FROM {outer.table} AS o CROSS JOIN reading AS r
        ON r.series = o.series AND r.time >= max(o.time * {width}, ?2) AND r.time < min((o.time + 1) * {width}, ?3)
        WHERE o.series = ?1 AND o.time >= ?2 / {width} AND o.time <= ?3 / {width} AND o.count {which}
    """


def _source(level: Tier) -> str:
    """What a level has from ?2 up to ?3. ``moment`` is twice the time, and one more for a raw reading."""
    if level is RAW:
        return f"{READING} FROM reading AS r WHERE r.series = ?1 AND r.time >= ?2 AND r.time < ?3"
    own = f"""
        SELECT time * {2 * level.width} AS moment, {SUMMED} FROM {level.table}
        WHERE series = ?1 AND time >= ?2 / {level.width} AND time < ?3 / {level.width}
    """
    outer = TIERS[: TIERS.index(level)]
    raw = [_raw_of(tier, f"<= {tier.few}") for tier in outer] or [_raw_of(DAY, "= 0")]
    return " UNION ALL ".join([own, *raw])


def _last(level: Tier) -> str:
    raw = """(
        SELECT value FROM reading WHERE series = ?1 AND time = newest / 2 ORDER BY boot DESC, sequence DESC LIMIT 1)"""
    if level is RAW:
        return raw
    summed = f"(SELECT last FROM {level.table} WHERE series = ?1 AND time = newest / {2 * level.width})"
    return f"CASE WHEN newest % 2 THEN {raw} ELSE {summed} END"


QUERIES = {
    level: f"""
        SELECT bucket, count, texts, total, low, high, newest / 2, {_last(level)} FROM (
            SELECT (moment / 2 + ?4) / ?5 AS bucket, sum(count) AS count, sum(texts) AS texts, {TOTAL} AS total,
                min(low) AS low, max(high) AS high, max(moment) AS newest
            FROM ({_source(level)}) WHERE count > 0 GROUP BY bucket)
    """
    for level in LEVELS
}


class Sum:
    """What is in one bucket. ``total``, ``low`` and ``high`` are of the numbers and truth values; texts have none."""

    __slots__ = ("count", "high", "last", "low", "newest", "start", "texts", "total")

    def __init__(self, start: int) -> None:
        self.start = start
        self.count = self.texts = 0
        self.total = 0.0
        self.low: float | None = None
        self.high: float | None = None
        self.newest = -1
        self.last: Any = None

    def add(
        self, count: int, texts: int, total: float, low: float | None, high: float | None, newest: int, last: Any
    ) -> None:
        """Add a part of the same bucket; of what is of one moment, the part that is added later is the newer."""
        self.count += count
        self.texts += texts
        self.total += total
        if low is not None and high is not None:
            self.low = float(low if self.low is None else min(self.low, low))
            self.high = float(high if self.high is None else max(self.high, high))
        if newest >= self.newest:
            self.newest, self.last = newest, last

    @property
    def mean(self) -> float | None:
        """The mean of the numbers; None where there are none."""
        numbers = self.count - self.texts
        return self.total / numbers if numbers else None


def find_sums(connection: sqlite3.Connection, series: int, placed: PlacedPiece, step: int) -> list[tuple[Any, ...]]:
    """For each bucket of ``step`` of which the piece has a part, its number and what ``Sum.add`` takes."""
    (level, start, end), offset = placed
    return select(connection, QUERIES[level], series, start, end, offset - MONDAY, step)
