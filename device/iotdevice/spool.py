"""The readings that wait on disk, and the few numbers that must outlive the agent: one SQLite file in the data
directory.

A ``Spool`` blocks; the agent calls it in one thread. It raises ``SpoolError``, and nothing of SQLite's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, NoReturn

from iotdevice import spool_sql as sql
from iotdevice.clock import PLAUSIBLE
from iotdevice.config import SpoolSettings
from iotdevice.files import sync_directory
from iotdevice.window import START, Key, Row

FILE = "spool.db"

SPARE_BOOTS = 16
"""How many boot numbers one start of the agent takes: it goes on to the next when 2**32 readings have used one up."""

LATEST = 2**32 - 2**28
"""The latest time that makes a boot number, in the year 2097: a clock gone wild must not use up all that fit the
wire."""

TRIM = 200
"""How many of the oldest readings go at once when the spool is full: enough to be cheap, and few of the smallest
spool."""

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""SQLite's codes for a file that is none of its own any more."""


class SpoolError(Exception):
    """The disk did not take, or not give, what was asked; it may work the next time."""


class SpoolLost(SpoolError):
    """The file was damaged and is set aside: what was in it is gone, and a new one takes its place."""


class Start(NamedTuple):
    """What a starting agent learns from its spool: its boot number, the last reading on disk, how many were ever lost,
    and its name."""

    boot: int
    last: Key
    lost: int
    name: str


class Kept(NamedTuple):
    """What a save did: the last reading that was thrown away for want of room, and how many were ever lost."""

    trimmed: Key
    lost: int


class Spool:
    """Readings on disk, oldest first, bounded by size and age. ``say`` takes a line for the device's log, in any
    thread."""

    def __init__(self, path: Path, device: str, settings: SpoolSettings, say: Callable[[str], None]) -> None:
        self._path: Path | None = path
        self._settings = settings
        self._say = say
        self._facts: dict[str, object] = {"device": device}
        self._machine = ""
        self._offset = 0.0
        self._db: sqlite3.Connection | None = None

    def start(self, machine: str, wall: float, offset: float) -> Start:
        """Open the spool and take a boot number that was never used before, on disk before this returns.

        It is at least the time in Unix seconds, so that it is new even where the file was lost, or came back from a
        backup. A damaged file, or one of another device, is set aside. Where the disk takes nothing, readings are kept
        in memory until the next start.
        """
        self._machine, self._offset = machine, offset
        try:
            try:
                return self._start(wall)
            except SpoolLost:
                return self._start(wall)
        except SpoolError as error:
            self._say(f"The spool cannot be used: readings wait in memory until the agent starts again ({error})")
            self._path = None
            return self._start(wall)

    def _start(self, wall: float) -> Start:
        with self._transaction() as db:
            if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise _Unusable("is damaged")
            facts = dict(db.execute(sql.FACTS))
            now = int(wall) if 0 < wall < LATEST else 0
            boot = max(facts.get("boot", 0) + 1, now)
            self._facts["boot"] = boot + SPARE_BOOTS - 1
            db.executemany(sql.SET_FACT, self._facts.items())
            db.execute(sql.DROP_UNUSED_BOOTS)
            self._place_unset(db)
            last = db.execute(sql.LAST).fetchone()
            if self._path is not None:
                sync_directory(self._path.parent)
        return Start(boot, last or START, facts.get("lost", 0), facts.get("name", ""))

    def save(self, rows: Sequence[Row], done: Key, sent: Key, lost: int, oldest: float) -> Kept:
        """In one transaction: keep ``rows``, forget all up to ``done``, add ``lost`` to what was ever lost, and keep
        the bounds.

        Nothing up to ``sent`` is thrown away, since it is on its way. ``oldest`` is the wall time before which readings
        are too old, 0 for not to look.
        """
        with self._transaction() as db:
            for boot in {row.boot for row in rows}:
                db.execute(sql.ADD_BOOT, (boot, self._machine, self._offset))
            db.executemany(sql.ADD, rows)
            db.execute(sql.FORGET, done)
            trimmed, count = self._trim(db, max(done, sent), oldest)
            if lost + count:
                db.execute(sql.ADD_LOST, (lost + count,))
            total = dict(db.execute(sql.FACTS)).get("lost", 0)
        self._facts["lost"] = total
        return Kept(trimmed, total)

    def read(self, after: Key, limit: int) -> list[Row]:
        """The first readings after ``after``, their times on the steady clock of this start of the machine."""
        with self._connected() as db:
            found = db.execute(sql.READ, (self._offset, *after, limit)).fetchall()
        return [
            Row(boot, sequence, name, bool(value) if type(value) is int else value, at)
            for boot, sequence, name, value, at in found
        ]

    def mend(self, offset: float) -> None:
        """The wall clock was set: all that was taken since this machine started gets its time from the new
        ``offset``."""
        with self._transaction() as db:
            db.execute(sql.MEND, (offset, self._machine))
            self._offset = offset
            self._place_unset(db)

    def commands(self) -> dict[int, bytes | None]:
        """The numbers of the last commands, oldest first, each with its answer, None where it has none."""
        with self._connected() as db:
            return dict(db.execute(sql.COMMANDS))

    def remember(self, id: int, most: int) -> None:
        """A command is about to run: after this it is known, even if the machine dies the next moment."""
        with self._transaction() as db:
            db.execute(sql.REMEMBER, (id,))
            db.execute(sql.FORGET_COMMANDS, (most,))

    def answer(self, id: int, answer: bytes) -> None:
        """What became of a command."""
        with self._transaction() as db:
            db.execute(sql.ANSWER, (answer, id))

    def note_name(self, name: str) -> None:
        """What the server calls this device, for ``iotdevice status``."""
        with self._transaction() as db:
            db.execute(sql.SET_FACT, ("name", name))

    def close(self) -> None:
        """Close the file. May be called again."""
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def _place_unset(self, db: sqlite3.Connection) -> None:
        """What was taken in earlier starts of the machine, while its clock was never set, was taken before the next
        start at the latest: there it is put, as long before as the steady clock says."""
        began, found = self._offset, {self._machine: self._offset}
        for number, machine, offset, last in db.execute(sql.BOOTS).fetchall():
            if offset + last < PLAUSIBLE:
                offset = found.setdefault(machine, began - last)
                db.execute(sql.SET_OFFSET, (offset, number))
            began = min(began, offset)

    def _trim(self, db: sqlite3.Connection, protected: Key, oldest: float) -> tuple[Key, int]:
        """Throw the oldest readings away where there are too many: the last of them, and how many they were."""
        last, count = START, 0
        if oldest and (old := db.execute(sql.TOO_OLD, (oldest,)).fetchone()) is not None:
            last, count = old, db.execute(sql.DROP, (*protected, *old)).rowcount
        while _used(db) > self._settings.megabytes * 1_000_000:
            old = db.execute(sql.OLDEST, (*protected, TRIM - 1)).fetchone()
            if old is None:
                break
            last, count = old, count + db.execute(sql.DROP, (*protected, *old)).rowcount
        return last, count

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """The open file. After an error it is closed, since what SQLite did in it is uncertain; a damaged one is set
        aside."""
        try:
            if self._db is None:
                self._db = self._open()
            yield self._db
        except (sqlite3.Error, OSError) as error:
            self.close()
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED:
                self._set_aside(f"is damaged ({error})")
            raise SpoolError(str(getattr(error, "strerror", error))) from None
        except _Unusable as fault:
            self.close()
            self._set_aside(str(fault))
        except BaseException:
            self.close()
            raise

    def _open(self) -> sqlite3.Connection:
        if self._path is not None:
            self._path.touch(0o600)
        db = sqlite3.connect(self._path or ":memory:", isolation_level=None, check_same_thread=False)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.executescript(sql.SETTINGS)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            db.executescript(sql.SCHEMA)
            db.executemany(sql.SET_FACT, self._facts.items())
            db.execute("COMMIT")
        elif version != sql.VERSION:
            raise _Unusable("was written by another version of the agent")
        elif dict(db.execute(sql.FACTS)).get("device") != self._facts["device"]:
            raise _Unusable("belongs to another device")

    def _set_aside(self, fault: str) -> NoReturn:
        """Keep a file that cannot be used, for whoever wants to look at it, but no more than one. Raises
        ``SpoolLost``."""
        if self._path is None:
            raise SpoolError(fault)
        aside = self._path.with_name("spool.set-aside.db")
        try:
            for suffix in ("", "-wal", "-shm"):
                file, kept = Path(f"{self._path}{suffix}"), Path(f"{aside}{suffix}")
                kept.unlink(missing_ok=True)
                if file.exists():
                    file.replace(kept)
        except OSError as error:
            raise SpoolError(f"{error.strerror}: {error.filename}") from None
        self._say(f"The spool {fault}: it is kept as {aside.name}, and readings go into a new one")
        raise SpoolLost(fault)


class _Unusable(Exception):
    """The file cannot be used; the text says why, behind "The spool"."""


def _used(db: sqlite3.Connection) -> int:
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
