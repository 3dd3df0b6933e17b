"""The few ways in which SQL is run here, and how its columns become values."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from typing import Any, TypeVar

T = TypeVar("T")
Row = tuple[Any, ...]

ROWS_AT_ONCE = (1024, 128, 16, 1)
"""How many rows one statement inserts: the largest number that fits. SQLite's limit is 32,766 values in one statement,
and 1,024 rows of up to 31 columns stay below that."""


def select(connection: sqlite3.Connection, query: str, *parameters: Any) -> list[Row]:
    """All rows of ``query``."""
    return connection.execute(query, parameters).fetchall()


def find(connection: sqlite3.Connection, make: Callable[[Row], T], query: str, *parameters: Any) -> T | None:
    """What ``make`` makes of the only row of ``query``; None where there is none."""
    row = connection.execute(query, parameters).fetchone()
    return None if row is None else make(row)


def find_all(connection: sqlite3.Connection, make: Callable[[Row], T], query: str, *parameters: Any) -> tuple[T, ...]:
    """What ``make`` makes of each row of ``query``."""
    return tuple(map(make, select(connection, query, *parameters)))


def change(connection: sqlite3.Connection, statement: str, *parameters: Any) -> int:
    """Run ``statement``, and say how many rows it changed."""
    return connection.execute(statement, parameters).rowcount


def insert(connection: sqlite3.Connection, into: str, rows: Sequence[Row], conflict: str = "") -> int:
    """Insert ``rows``, all of one length, as ``INSERT {into} VALUES ... {conflict}``; how many were changed or added.

    ``executemany`` lets go of the interpreter for each row, and a busy reactor may take milliseconds to give it back.
    Here that happens once for many rows.
    """
    done = changed = 0
    for size in ROWS_AT_ONCE:
        while len(rows) - done >= size:
            parameters = tuple(chain.from_iterable(rows[done : done + size]))
            changed += change(connection, _insert_statement(into, len(rows[0]), size, conflict), *parameters)
            done += size
    return changed


@cache
def _insert_statement(into: str, columns: int, rows: int, conflict: str) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"INSERT {into} VALUES {', '.join([row] * rows)} {conflict}"


def milliseconds(time: float) -> int:
    """Unix seconds as the database keeps them."""
    return round(time * 1000)


def seconds(time: int) -> float:
    """Unix seconds from the database."""
    return time / 1000


def milliseconds_or_null(time: float | None) -> int | None:
    """As ``milliseconds``, for times that may not have been."""
    return None if time is None else milliseconds(time)


def seconds_or_none(time: int | None) -> float | None:
    """As ``seconds``, for times that may not have been."""
    return None if time is None else seconds(time)
