"""What storage cannot do, in words for people; driver errors become these and go no further.

An exception's docstring is its text, unless whoever raises it knows more.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


class StorageError(Exception):
    """Storage failed."""

    def __str__(self) -> str:
        return super().__str__() or type(self).__doc__ or ""


class DiskTrouble(StorageError):
    """The disk or the database is at fault, whatever was asked of it."""


class DiskFull(DiskTrouble):
    """The disk is full: nothing can be stored until there is room."""


class DiskFault(DiskTrouble):
    """The disk failed."""


class NotWritable(DiskTrouble):
    """The data directory cannot be written."""


class DatabaseLocked(DiskTrouble):
    """Another program holds the database."""


class DatabaseDamaged(DiskTrouble):
    """The database is damaged."""


class NewerSchema(StorageError):
    """The database is from a newer IotCenter."""


class Busy(StorageError):
    """More waits to be stored than the disk keeps up with: try again."""


class TookTooLong(StorageError):
    """Looking that up takes too long: ask for less at a time."""


class Closed(StorageError):
    """Storage is closed."""


class NameTaken(StorageError):
    """That name is taken."""


class NotFound(StorageError):
    """There is no such thing."""


class LastAdmin(StorageError):
    """This is the last administrator: nobody could manage the server any more."""


class NotRedeemable(StorageError):
    """This secret is not known, was used already, or has expired."""


class TooMuch(StorageError):
    """An answer would be too long; ``step`` is one, in seconds, that makes it short enough."""

    def __init__(self, text: str, step: int) -> None:
        super().__init__(text)
        self.step = step


_KINDS: dict[int, type[StorageError]] = {
    sqlite3.SQLITE_INTERRUPT: TookTooLong,
    sqlite3.SQLITE_FULL: DiskFull,
    sqlite3.SQLITE_IOERR: DiskFault,
    sqlite3.SQLITE_READONLY: NotWritable,
    sqlite3.SQLITE_CANTOPEN: NotWritable,
    sqlite3.SQLITE_PERM: NotWritable,
    sqlite3.SQLITE_BUSY: DatabaseLocked,
    sqlite3.SQLITE_LOCKED: DatabaseLocked,
    sqlite3.SQLITE_CORRUPT: DatabaseDamaged,
    sqlite3.SQLITE_NOTADB: DatabaseDamaged,
}


def in_words(error: sqlite3.Error) -> StorageError:
    """What ``error`` of the driver means for people."""
    kind = _KINDS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, StorageError)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    words = (kind.__doc__ or "").rstrip(".")
    return kind(f"{words} ({name}: {error}).")


@contextmanager
def driver_errors_in_words() -> Iterator[None]:
    """Within it, errors of the driver become ``StorageError``."""
    try:
        yield
    except sqlite3.Error as error:
        raise in_words(error) from error


_SYSTEM_KINDS: dict[int | None, type[StorageError]] = {
    errno.ENOSPC: DiskFull,
    errno.EDQUOT: DiskFull,
    errno.EROFS: NotWritable,
    errno.EACCES: NotWritable,
    errno.EPERM: NotWritable,
    errno.ENOENT: NotWritable,
}


@contextmanager
def disk_errors_in_words() -> Iterator[None]:
    """Within it, errors of the system become ``DiskTrouble``."""
    try:
        yield
    except OSError as error:
        kind = _SYSTEM_KINDS.get(error.errno, DiskFault)
        words = (kind.__doc__ or "").rstrip(".")
        raise kind(f"{words} ({errno.errorcode.get(error.errno or 0, 'error')}: {error.strerror}).") from error
