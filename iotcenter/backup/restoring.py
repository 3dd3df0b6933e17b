"""Restoring a backup into a data directory."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from msgspec import Struct

from iotcenter.backup.errors import BackupError
from iotcenter.backup.progress import Progress, silent
from iotcenter.backup.snapshot import BEFORE_RESTORE, LEFT_OUT
from iotcenter.backup.trial import contents, unpack
from iotcenter.storage.durable import sync_directory
from iotcenter.storage.lock import FILE as LOCK
from iotcenter.storage.lock import UNFINISHED, DataLock
from iotcenter.storage.restored import take_up_restored
from iotcenter.storage.store import FILE


class Restored(Struct, frozen=True):
    """What was restored: where it is, when and by which version the backup was made, and what is in it.

    ``aside`` is where the directory's former content is, empty where it had none.
    """

    directory: str
    created: float
    version: str
    devices: int
    received: int
    aside: str


def restore_backup(
    path: Path, directory: Path, passphrase: str | None = None, replace: bool = False, progress: Progress = silent
) -> Restored:
    """Put what is in the backup into ``directory``, which is made where it is missing.

    One that has a content is refused, unless that shall be put aside (``replace``). Until all is in its place no server
    starts on the directory. Raises ``Missing`` where the backup takes a passphrase, ``BackupError``, and
    ``StorageError`` where a server runs on it.
    """
    if not path.is_file():
        raise BackupError(f"there is no file {path}")
    lock = DataLock.acquire(directory, unfinished=True)
    try:
        return _restore(path, directory, passphrase, replace, progress)
    except OSError as error:
        raise BackupError(f"{error.filename or directory}: {error.strerror}") from error
    finally:
        lock.release()


def _restore(path: Path, directory: Path, passphrase: str | None, replace: bool, progress: Progress) -> Restored:
    unpacked = directory / UNFINISHED
    begun_before = unpacked.exists()
    if begun_before:
        shutil.rmtree(unpacked)
    former = [entry for entry in directory.iterdir() if entry.name not in (LOCK, "control.sock")]
    if former and not replace and not begun_before:
        raise BackupError(f"{directory} is not empty: name another one, or have its content put aside")
    try:
        about = unpack(path, unpacked, passphrase, progress)
        _check_places(path, unpacked)
        found = contents(unpacked / FILE)
        take_up_restored(unpacked / FILE)
    except BaseException:
        shutil.rmtree(unpacked, ignore_errors=True)
        raise
    aside = _put_aside(directory, former)
    for entry in sorted(unpacked.iterdir()):
        entry.rename(directory / entry.name)
    sync_directory(directory)
    unpacked.rmdir()  # from here on a server may start
    return Restored(str(directory), about.created, about.version, found.devices, found.received, aside)


def _check_places(path: Path, unpacked: Path) -> None:
    """Nothing in a backup may take the place of what belongs to this machine."""
    for entry in unpacked.iterdir():
        if entry.name in (*LEFT_OUT, UNFINISHED):
            raise BackupError(f"{path}: {entry.name} does not belong in a backup")


def _put_aside(directory: Path, former: list[Path]) -> str:
    if not former:
        return ""
    aside = directory / f"{BEFORE_RESTORE}{time.strftime('%Y%m%d-%H%M%S')}"
    aside.mkdir(0o700)
    for entry in former:
        if not entry.name.startswith(BEFORE_RESTORE):
            entry.rename(aside / entry.name)
    return str(aside)
