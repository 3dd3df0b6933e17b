"""How long readings are kept: raw, and summed up in minutes, hours and days. Days are those of UTC."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import astuple

from iotcenter.model import DeviceId
from iotcenter.storage.errors import NotFound
from iotcenter.storage.rollups import build, reckon, slim
from iotcenter.storage.sql import change, select
from iotcenter.storage.tiers import DAY, HOUR, LEVELS, MINUTE, RAW, TIERS, Tier

DAY_SECONDS = 86400

ROWS_AT_ONCE = 5000
"""Rows that are deleted in one step: some ten milliseconds of work, so that no report waits long behind it."""

DAYS_AT_ONCE = 50
"""Days with few readings that are dealt with in one step: less work than the rows of a full one."""

SERIES = """
    SELECT id, device, name,
        keep_raw, keep_minutes, keep_hours, keep_days, raw_from, minutes_from, hours_from, days_from
    FROM series WHERE device IS NOT NULL
"""
SET_KEEP = """
    UPDATE series SET keep_raw = ?, keep_minutes = ?, keep_hours = ?, keep_days = ? WHERE device = ? AND name = ?
"""
KEEP_OF = "SELECT name, keep_raw, keep_minutes, keep_hours, keep_days FROM series WHERE device = ?"
SET_FROM = """
    UPDATE series SET raw_from = ?1, minutes_from = ?2, hours_from = ?3, days_from = ?4
    WHERE id = ?5 AND (raw_from, minutes_from, hours_from, days_from) <> (?1, ?2, ?3, ?4)
"""
FIRST_DAY = "SELECT min(time) / 86400000 FROM reading WHERE series = ? AND time < ?"
FIRST_HOUR = "SELECT min(time) / 3600000 FROM reading WHERE series = ? AND time < ?"
COUNT = {tier: f"SELECT count FROM {tier.table} WHERE series = ? AND time = ?" for tier in (DAY, HOUR)}
OLDER = {level: f"SELECT 1 FROM {level.table} WHERE series = ? AND time < ? LIMIT 1" for level in LEVELS}
DELETE_SPAN = "DELETE FROM reading WHERE series = ? AND time >= ? AND time < ?"
DELETE = """
    DELETE FROM {0} WHERE series = ?1 AND time < ?2 AND time <= coalesce((
        SELECT time FROM {0} WHERE series = ?1 AND time < ?2 ORDER BY time LIMIT 1 OFFSET ?3), ?2)
"""


class Keep(Struct, frozen=True):
    """For how many days raw readings, minutes, hours and days are kept; 0 is for ever, None as it is usual."""

    raw: int | None = None
    minutes: int | None = None
    hours: int | None = None
    days: int | None = None

    def or_else(self, usual: Keep) -> Keep:
        """With what is ``usual`` where nothing is said."""
        pairs = zip(astuple(self), astuple(usual), strict=True)
        return Keep(*(one if one is not None else other for one, other in pairs))

    def from_days(self, today: int) -> tuple[int, int, int, int]:
        """The first day (since 1970) of which there shall be raw readings, minutes, hours and days.

        What is coarser is kept at least as long as what is finer.
        """
        first = [max(0, today - days) if days else 0 for days in astuple(self)]
        raw, minutes, hours, days = (min(first[: place + 1]) for place in range(4))
        return raw, minutes, hours, days


class From(Struct, frozen=True):
    """From which day (since 1970) on a series has its raw readings, minutes, hours and days."""

    series: int
    device: DeviceId
    name: str
    raw: int
    minutes: int
    hours: int
    days: int

    def of(self, level: Tier) -> int:
        """From which day on it has that level."""
        return {RAW: self.raw, MINUTE: self.minutes, HOUR: self.hours, DAY: self.days}[level]


class Earliest(Struct, frozen=True):
    """From when on readings are taken in, in Unix seconds: of each series, and ``usual`` of one that is new."""

    series: dict[DeviceId, dict[str, float]]
    usual: float


def set_keep(connection: sqlite3.Connection, device: DeviceId, name: str, keep: Keep) -> None:
    """Note for how long a series is kept. Raises ``NotFound``."""
    if change(connection, SET_KEEP, *astuple(keep), device, name) == 0:
        raise NotFound(f"The device never reported {name}.")


def keep_of(connection: sqlite3.Connection, device: DeviceId) -> dict[str, Keep]:
    """For how long each series of a device is kept."""
    return {name: Keep(*days) for name, *days in select(connection, KEEP_OF, device)}


def due(connection: sqlite3.Connection, today: int, default: Keep) -> list[From]:
    """What shall be kept of each series from ``today`` on.

    Nothing comes back: where more is kept from now on, that begins with what is there.
    """
    found = []
    for number, device, name, raw, minutes, hours, days, *before in select(connection, SERIES):
        keep = Keep(raw, minutes, hours, days).or_else(default)
        after = [max(pair) for pair in zip(before, keep.from_days(today), strict=True)]
        found.append(From(number, device, name, *after))
    return found


def advance(connection: sqlite3.Connection, series: Iterable[From]) -> None:
    """Note what is kept of ``series`` from now on. What is older is not taken in any more."""
    for kept in series:
        change(connection, SET_FROM, kept.raw, kept.minutes, kept.hours, kept.days, kept.series)


def earliest(series: Iterable[From], usual: int = 0) -> Earliest:
    """From when on readings of ``series`` are taken in, and from the day ``usual`` on those of a new one."""
    found: dict[DeviceId, dict[str, float]] = {}
    for kept in series:
        found.setdefault(kept.device, {})[kept.name] = float(kept.raw * DAY_SECONDS)
    return Earliest(found, float(usual * DAY_SECONDS))


def droppable(connection: sqlite3.Connection, series: Iterable[From]) -> list[From]:
    """Those of ``series`` of which there is something that is not kept."""
    return [
        kept
        for kept in series
        if any(
            select(connection, OLDER[level], kept.series, kept.of(level) * DAY.width // level.width) for level in LEVELS
        )
    ]


def drop_some(connection: sqlite3.Connection, kept: From) -> bool:
    """Delete some of what is not kept of a series; False when nothing is left to delete.

    Raw readings go only when every coarser bucket that is kept has been made of them.
    """
    if _drop_raw(connection, kept):
        return True
    return any(delete(connection, tier, kept.series, kept.of(tier) * DAY.width // tier.width) for tier in TIERS)


def delete(connection: sqlite3.Connection, level: Tier, series: int, before: int) -> int:
    """Delete some rows of a series, the oldest of those before ``before``; how many they were."""
    return change(connection, DELETE.format(level.table), series, before, ROWS_AT_ONCE - 1)


def _drop_raw(connection: sqlite3.Connection, kept: From) -> bool:
    end = kept.raw * DAY.width
    for _ in range(DAYS_AT_ONCE):
        [(day,)] = select(connection, FIRST_DAY, kept.series, end)
        if day is None:
            return False
        count = _count(connection, DAY, kept.series, day)
        if count == 0:
            reckon(connection, kept.series, day)
        elif count <= DAY.few:
            _drop_few(connection, DAY, kept, day)
        else:
            _drop_hour(connection, kept)
            return True
    return True


def _drop_hour(connection: sqlite3.Connection, kept: From) -> None:
    """Delete the oldest hour of a day with many readings, or a part of it where it has many itself."""
    [(hour,)] = select(connection, FIRST_HOUR, kept.series, kept.raw * DAY.width)
    if _count(connection, HOUR, kept.series, hour) <= HOUR.few:
        _drop_few(connection, HOUR, kept, hour)
    else:
        change(connection, DELETE.format("reading"), kept.series, (hour + 1) * HOUR.width, ROWS_AT_ONCE - 1)


def _drop_few(connection: sqlite3.Connection, tier: Tier, kept: From, time: int) -> None:
    """Delete the few readings of a bucket, after making finer buckets of them."""
    start, end = time * tier.width, (time + 1) * tier.width
    for inner in TIERS[TIERS.index(tier) + 1 :]:
        if start >= kept.of(inner) * DAY.width:
            build(connection, inner, kept.series, start // inner.width, end // inner.width)
            slim(connection, inner, kept.series, start // inner.width, end // inner.width)
    change(connection, DELETE_SPAN, kept.series, start, end)


def _count(connection: sqlite3.Connection, tier: Tier, series: int, time: int) -> int:
    """How many readings a bucket has."""
    return sum(count for (count,) in select(connection, COUNT[tier], series, time))
