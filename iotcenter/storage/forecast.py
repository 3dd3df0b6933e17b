"""When the disk will be full, in plain words: from how the database grew, and how much room there is."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from math import inf
from pathlib import Path

from msgspec import Struct

from iotcenter.storage.sql import change, select

SAMPLES = "SELECT time, bytes FROM growth ORDER BY time"
NEWEST = "SELECT max(time) FROM growth"
ADD_SAMPLE = "INSERT OR REPLACE INTO growth VALUES (?, ?)"
FORGET_SAMPLES = "DELETE FROM growth WHERE time < ? OR time > ?"
IN_USE = """
    SELECT (pages.page_count - free.freelist_count) * size.page_size
    FROM pragma_page_count AS pages, pragma_freelist_count AS free, pragma_page_size AS size
"""

LOOKED_BACK = 14 * 86400
"""Seconds of growth that are looked at: two weeks, so that neither a weekend nor a holiday counts for all."""

SHORTEST = 6 * 3600
"""Seconds of growth below which nothing is foretold."""

TEN_YEARS = 3650
"""Days beyond which nobody plans."""

Sample = tuple[float, int]
"""A time, and the bytes that were in use then."""


class Disk(Struct, frozen=True):
    """The room that readings have: bytes in use and free, and in how many days it will be full.

    ``days`` is None where nothing can be foretold, or where it does not fill up; ``forecast`` says which, in words.
    """

    used: int
    free: int
    days: int | None
    forecast: str


def note_size(connection: sqlite3.Connection, now: float) -> None:
    """Remember how much is in use now."""
    change(connection, ADD_SAMPLE, int(now), in_use(connection))
    change(connection, FORGET_SAMPLES, int(now - LOOKED_BACK), int(now))  # the clock may have been set back


def newest_note(connection: sqlite3.Connection) -> float:
    """When the size was noted last; endlessly far in the future where it never was."""
    [(newest,)] = select(connection, NEWEST)
    return inf if newest is None else float(newest)


def in_use(connection: sqlite3.Connection) -> int:
    """How many bytes of the database are in use."""
    [(used,)] = select(connection, IN_USE)
    return int(used)


def disk(connection: sqlite3.Connection, directory: Path) -> Disk:
    """How full the disk of ``directory`` is, and when it will be full."""
    room = os.statvfs(directory)
    free = room.f_bavail * room.f_frsize
    days, words = foretell(select(connection, SAMPLES), free)
    return Disk(in_use(connection), free, days, words)


def foretell(samples: Sequence[Sample], free: int) -> tuple[int | None, str]:
    """In how many days ``free`` bytes will be used up, and that in words."""
    if not samples or samples[-1][0] - samples[0][0] < SHORTEST:
        return None, f"known after {SHORTEST // 3600} hours of measuring"
    (first, before), (last, after) = samples[0], samples[-1]
    grown = after - before
    days = round(free * (last - first) / grown) // 86400 if grown > 0 else TEN_YEARS
    if days >= TEN_YEARS:
        return None, "not full within ten years"
    return days, f"full in {days} days" if days > 1 else "full within two days"
