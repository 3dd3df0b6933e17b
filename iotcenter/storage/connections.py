"""How the database's file is opened, and what SQLite is told about it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.enterprise.adbapi import ConnectionPool

from iotcenter.storage.errors import NotWritable, driver_errors_in_words
from iotcenter.storage.migrations import migrate

LOCK_WAIT = 5.0
"""Seconds to wait for another program, such as someone's ``sqlite3`` shell, to let go of the database. Meanwhile
reports gather, up to their bound; then they are answered with "busy"."""

WAL_PAGES = 4000
"""Pages in the write-ahead log before they are copied into the database, some 16 MB: the pages that change with
every commit are then copied once for hundreds of commits. The log of a burst shrinks back to this size."""

CACHE_KIB = 16 * 1024
"""Memory for pages that the writer has at hand: the newest page of each of some 4,000 series."""


def prepare(path: Path) -> None:
    """Make the database, or bring it up to date, before anybody uses it. Raises ``StorageError``."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise NotWritable(f"The database {path} cannot be written: {error.strerror}.") from error
    with driver_errors_in_words():
        connection = sqlite3.connect(path, timeout=LOCK_WAIT, isolation_level=None)
        try:
            if path.stat().st_size == 0:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # it cannot be changed once there are tables
            connection.execute("PRAGMA journal_mode = WAL")
            as_writer(connection)
            migrate(connection)
        finally:
            connection.close()


def writer(path: Path, reactor: Any) -> ConnectionPool:
    """The one connection that writes. It alone checkpoints: SQLite before 3.51.3 may damage the file where two do."""
    return _pool(path, reactor, 1, as_writer)


def readers(path: Path, reactor: Any) -> ConnectionPool:
    """Connections for what pages and sign-ins look up: two, so that one does not wait for the other."""
    return _pool(path, reactor, 2, as_reader)


def scanner(path: Path, reactor: Any) -> ConnectionPool:
    """The connection for what reads through many rows: one, so that history holds up history, and nothing else."""
    return _pool(path, reactor, 1, as_reader)


def _pool(path: Path, reactor: Any, size: int, opened: Callable[[sqlite3.Connection], None]) -> ConnectionPool:
    # check_same_thread: the pool closes its connections from the reactor's thread, when its own threads have ended.
    # isolation_level: transactions begin and end where we say so, and nowhere else.
    return ConnectionPool(
        "sqlite3",
        path,
        timeout=LOCK_WAIT,
        isolation_level=None,
        check_same_thread=False,
        cp_min=size,
        cp_max=size,
        cp_openfun=opened,
        cp_reactor=reactor,
    )


def as_writer(connection: sqlite3.Connection) -> None:
    """Make ``connection`` the one that writes."""
    connection.execute("PRAGMA synchronous = FULL")  # a commit returns when it is on disk: that is what we acknowledge
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_PAGES * 4096}")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")  # for the tables in which a batch is grouped
    connection.execute("PRAGMA secure_delete = FAST")  # some systems overwrite what is deleted: gigabytes, of readings


def as_reader(connection: sqlite3.Connection) -> None:
    """Make ``connection`` one that only reads."""
    connection.execute("PRAGMA query_only = ON")
