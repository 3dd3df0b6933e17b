"""Whether a database is as it was left: looked at when a server starts, before anybody uses it.

A server that ends well leaves a mark with the size and the time of its file. Where they fit there is nothing to look
at. Otherwise the file is checked; that it is there, and not empty, is checked too: a database that is gone would be
made anew without a word.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import monotonic

import msgspec

from iotcenter.storage.errors import in_words
from iotcenter.wire.errors import UNDECODABLE

CHECK_WITHIN = 2.0
"""Seconds that a start waits for the check after a server was killed, enough for some 300 MB. That of a larger file
goes on while the server is at work."""

LOOK_EVERY = 100_000
"""Steps of SQLite's machine between two looks at the clock: about a millisecond."""

INDEX_HEADER = struct.Struct("=48s48s")
"""The shared index of SQLite's log begins with its header, twice (https://sqlite.org/walformat.html, section 2.1)."""

HEADER = struct.Struct("=IIIBBHIIII8sII")
"""That header: version, padding, change counter, whether it is in use, byte order, page size, frames, pages of the
database, checksum of the frames, salts, own checksum."""

FOLDED = 96
"""Where in that file stands how many frames were copied into the database."""

LOG_HEADER = 32
FRAME_HEADER = 24
"""Bytes of the header of the log, and of that of each frame, which is a page."""


class Mark(msgspec.Struct):
    """What the last server left behind. ``size`` and ``time`` are of the file, 0 until it ended well."""

    size: int = 0
    time: int = 0
    suspect: bool = False
    """Whether the next start must look at all of the database, however long that takes: damage was found while the
    server was at work, or the server never came to look at all of it."""
    mending: str = ""
    fault: str = ""
    """The folder of a recovery that is under way, and what it is for."""


class Health:
    """The state of the database in the file ``path``, from one run to the next."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.with_suffix(".state")
        self.mark = self._read()
        self.checked = True
        """Whether all of the database was looked at, where that was needed."""

    def examine(self) -> str | None:
        """What is wrong with the database, None where nothing is known to be. Blocks for ``CHECK_WITHIN`` at most."""
        known = self._file.exists()
        if known and (not self._path.exists() or self._path.stat().st_size == 0):
            return "it is empty" if self._path.exists() else "it is missing"
        if not self._path.exists() or self._is_as_left():
            return None
        fault = log_fault(self._path)
        if fault is None:
            until = float("inf") if self.mark.suspect else monotonic() + CHECK_WITHIN
            fault, self.checked = check(self._path, lambda: monotonic() > until)
        return fault

    def begin(self) -> None:
        """A server is at work from now on, or has looked at all of the database. Raises ``OSError``."""
        self._write(Mark(suspect=not self.checked))

    def mend(self, folder: str, fault: str) -> None:
        """A recovery is under way from now on. Raises ``OSError``."""
        self._write(Mark(mending=folder, fault=fault))

    def end(self, damaged: bool) -> None:
        """It ended well, and closed the database. Raises ``OSError``."""
        found = self._path.stat()
        self._write(Mark(suspect=True) if damaged else Mark(found.st_size, found.st_mtime_ns))

    def _is_as_left(self) -> bool:
        found = self._path.stat()
        left_alone = (found.st_size, found.st_mtime_ns) == (self.mark.size, self.mark.time)
        return left_alone and not Path(f"{self._path}-wal").exists()

    def _read(self) -> Mark:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Mark)
        except (OSError, *UNDECODABLE):  # the power went as it was written: then nothing ended well
            return Mark()

    def _write(self, mark: Mark) -> None:
        self.mark = mark
        fresh = self._file.with_suffix(".state.new")
        with open(fresh, "wb", opener=_private) as file:
            file.write(msgspec.json.encode(mark))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._file)


def check(path: Path, enough: Callable[[], bool]) -> tuple[str | None, bool]:
    """The first thing that is wrong with a database, and whether all of it was looked at, which ``enough`` can end."""
    try:
        with closing(read_only(path)) as connection:
            connection.set_progress_handler(enough, LOOK_EVERY)
            [(found,)] = connection.execute("PRAGMA integrity_check(1)")
    except sqlite3.Error as error:
        if enough() and getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            return None, False
        return str(in_words(error)), True
    except UnicodeDecodeError:  # what SQLite says of the damage quotes what is damaged
        return "its schema is damaged", True
    return (None if found == "ok" else " ".join(str(found).split())), True


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that leaves the database as it is: another one would fold the log into it as it ends."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def log_fault(path: Path) -> str | None:
    """Whether SQLite's log is shorter than it was: what it held is lost without a trace otherwise.

    Its shared index, where it is still there, says how long it must be: it is written after the log was synced.
    """
    try:
        with Path(f"{path}-shm").open("rb") as file:
            index = file.read(FOLDED + 4)
    except OSError:
        return None
    if len(index) < FOLDED + 4 or len(set(INDEX_HEADER.unpack_from(index))) != 1:
        return None
    _, _, _, used, _, size, frames, _, _, _, salts, _, _ = HEADER.unpack_from(index)
    [folded] = struct.unpack_from("=I", index, FOLDED)
    if not used or frames <= folded:
        return None
    log = Path(f"{path}-wal")
    length = log.stat().st_size if log.exists() else 0
    if length >= LOG_HEADER:
        with log.open("rb") as file:
            if file.read(LOG_HEADER)[16:24] != salts:
                return None
    page = 65536 if size == 1 else size
    needed = LOG_HEADER + frames * (FRAME_HEADER + page)
    return None if length >= needed else f"its log has {length} bytes, and had at least {needed}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
