"""What goes into a backup: all files of a data directory, the databases as they are at one moment."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from iotcenter.backup.errors import BackupError
from iotcenter.backup.progress import Progress

INBOX = "inbox"
"""The folder of what is acknowledged and not in the database yet."""

LEFT_OUT = ("lock", "log", "control.sock", "iotcenter.state", "damaged", "backups")
"""What belongs to this machine, and to what became of its files."""

BEFORE_RESTORE = "before-restore-"
"""How the folder is called into which an older content was put aside when a backup was restored."""

COMPANIONS = ("-wal", "-shm", "-journal")
"""The ends of the names of files that belong to a database, and are in its copy."""

PAGES = 1000
"""Pages of a database that are copied in one step: some milliseconds of work, between which others get to the disk."""

WAIT = 30.0
"""Seconds to wait for another program that holds a database."""


class Part(NamedTuple):
    """A file of a backup: what it is called in it, where its content is, and how many bytes that has."""

    name: str
    path: Path
    size: int


def snapshot(directory: Path, workspace: Path, progress: Progress) -> list[Part]:
    """The files of ``directory``; copies of those that change are made in ``workspace``.

    The inbox comes before the database into which it is emptied: so what was acknowledged is in one of them.
    """
    inbox = list(_copied_inbox(directory / INBOX, workspace))
    databases = [_copied_database(path, workspace, progress) for path in sorted(directory.glob("*.db"))]
    return [*databases, *inbox, *_others(directory)]


def _copied_inbox(inbox: Path, workspace: Path) -> Iterator[Part]:
    """The inbox is only ever added to. The newest file goes first: then nothing in it follows on what an older copy
    lacks."""
    if not inbox.is_dir():
        return
    for path in sorted(inbox.iterdir(), reverse=True):
        copy = workspace / path.name
        try:
            shutil.copyfile(path, copy)
        except FileNotFoundError:
            continue  # it was emptied into the database meanwhile, which is copied after it
        yield Part(f"{INBOX}/{path.name}", copy, copy.stat().st_size)


def _copied_database(path: Path, workspace: Path, progress: Progress) -> Part:
    """The database as it is at one moment, which holds up nobody who writes."""
    copy = workspace / path.name

    def step(status: int, left: int, total: int) -> None:
        progress(f"copying {path.name}", total - left, total)

    try:
        with closing(sqlite3.connect(path, timeout=WAIT, isolation_level=None)) as source:
            source.execute("PRAGMA query_only = ON")
            source.execute("BEGIN")  # without it, each write of the server would make the copy begin anew
            source.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            with closing(sqlite3.connect(copy, isolation_level=None)) as target:
                source.backup(target, pages=PAGES, progress=step)
                target.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise BackupError(f"{path} cannot be copied: {error}") from error
    return Part(path.name, copy, copy.stat().st_size)


def _others(directory: Path, below: str = "") -> Iterator[Part]:
    with os.scandir(directory) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = f"{below}{entry.name}"
            if entry.name.startswith(".") or (not below and _left_out(entry.name)):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _others(Path(entry.path), f"{name}/")
            elif (size := _size(entry)) is not None:
                yield Part(name, Path(entry.path), size)


def _size(entry: os.DirEntry[str]) -> int | None:
    """How many bytes a file has; None for what is no file, and for one that was deleted meanwhile."""
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return status.st_size if S_ISREG(status.st_mode) else None


def _left_out(name: str) -> bool:
    of_database = name.endswith(".db") or any(name.endswith(f".db{end}") for end in COMPANIONS)
    return of_database or name in (*LEFT_OUT, INBOX) or name.startswith(BEFORE_RESTORE)
