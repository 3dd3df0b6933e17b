"""Unpacking a backup, and looking whether its database is whole: to try a new one out, and to restore one."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from iotcenter.backup.archive import NO_ARCHIVE
from iotcenter.backup.errors import BackupError
from iotcenter.backup.format import About, about, reading
from iotcenter.backup.progress import Progress

CONTENTS = "SELECT (SELECT count(*) FROM device), (SELECT total(received) FROM account)"

SPARE = 64 * 1024 * 1024
"""Bytes that unpacking leaves free on the disk."""


class Contents(Struct, frozen=True):
    """What is in a database: devices, and readings that were received of them."""

    devices: int
    received: int


def contents(database: Path) -> Contents:
    """What is in a copy of the database. Raises ``BackupError`` where it is missing or damaged."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            [(found,)] = connection.execute("PRAGMA quick_check(1)")
            if found != "ok":
                raise BackupError(f"the database is damaged: {found}")
            [(devices, received)] = connection.execute(CONTENTS)
    except sqlite3.Error as error:
        raise BackupError(f"the database cannot be read: {error}") from error
    return Contents(devices, int(received))


def unpack(path: Path, directory: Path, passphrase: str | None, progress: Progress) -> About:
    """Put all files of the backup at ``path`` into ``directory``, which it makes, for its owner alone; on disk when
    this returns.

    Raises ``Missing`` where it takes a passphrase, and ``BackupError``; then what is in ``directory`` is not whole.
    """
    size = path.stat().st_size
    with reading(path, passphrase) as (archive, file):
        directory.mkdir(0o700)
        members = archive.members()
        first = next(members, None)
        if first is None:
            raise BackupError(NO_ARCHIVE)
        found = about(archive, first.name)
        _check_room(directory, found)
        left = found.bytes + SPARE
        for member in members:
            left -= member.size
            if left < 0:
                raise BackupError(NO_ARCHIVE)  # whoever made it lied about its size
            _write(directory / member.name, archive.content(), lambda: progress("unpacking", file.tell(), size))
    return found


def _write(target: Path, content: Iterable[bytes], told: Callable[[], None]) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        for piece in content:
            file.write(piece)
            told()
        file.flush()
        os.fsync(file.fileno())


def _check_room(directory: Path, found: About) -> None:
    free = shutil.disk_usage(directory).free
    if found.bytes + SPARE > free:
        raise BackupError(
            f"it takes {found.bytes / 1e6:.0f} MB, and there are only {free / 1e6:.0f} MB free in {directory.parent}"
        )
