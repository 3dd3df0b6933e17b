"""Making a backup: copied, packed, tried out, and only then put in place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import msgspec
from msgspec import Struct

from iotcenter import __version__
from iotcenter.backup.errors import BackupError
from iotcenter.backup.format import ABOUT, FORMAT, About, writing
from iotcenter.backup.progress import Progress, silent
from iotcenter.backup.snapshot import Part, snapshot
from iotcenter.backup.trial import Contents, contents, unpack
from iotcenter.backup.workspace import WORKSPACE
from iotcenter.storage.durable import sync_directory
from iotcenter.storage.store import FILE

CONFIGURATION = "iotcenter.toml"
"""What the configuration is called in a backup."""


class Made(Struct, frozen=True):
    """A backup that was made: where it is, how many bytes it has, and what is in it."""

    path: str
    bytes: int
    encrypted: bool
    devices: int
    received: int


def make_backup(
    directory: Path,
    target: Path,
    passphrase: str | None = None,
    configuration: Path | None = None,
    progress: Progress = silent,
) -> Made:
    """Put a backup of the data directory at ``target``, in one step, when it is known that it can be restored.

    A server may run on the directory; nobody waits for this. Needs room for the backup, and for a copy of the
    databases, in the folder of ``target``. Raises ``BackupError``.
    """
    if not (directory / FILE).exists():
        raise BackupError(f"{directory} is no data directory: it has no {FILE}")
    try:
        with TemporaryDirectory(prefix=WORKSPACE, dir=target.parent) as folder:
            return _make(directory, target, passphrase, configuration, Path(folder), progress)
    except OSError as error:
        raise BackupError(f"{error.filename or target}: {error.strerror}") from error


def _make(
    directory: Path,
    target: Path,
    passphrase: str | None,
    configuration: Path | None,
    folder: Path,
    progress: Progress,
) -> Made:
    copies, packed = folder / "copies", folder / "packed"
    copies.mkdir()
    parts = snapshot(directory, copies, progress)
    if configuration is not None and all(part.name != CONFIGURATION for part in parts):
        parts.append(Part(CONFIGURATION, configuration, configuration.stat().st_size))
    found = contents(copies / FILE)
    _pack(parts, packed, passphrase, found, progress)
    for copy in copies.iterdir():
        copy.unlink()  # the trial needs its room
    unpack(packed, folder / "trial", passphrase, progress)
    if contents(folder / "trial" / FILE) != found:
        raise BackupError("what was read back is not what was written: the disk or the memory is faulty")
    packed.replace(target)
    sync_directory(target.parent)
    return Made(str(target), target.stat().st_size, passphrase is not None, found.devices, found.received)


def _pack(parts: Sequence[Part], packed: Path, passphrase: str | None, found: Contents, progress: Progress) -> None:
    total = sum(part.size for part in parts)
    about = msgspec.json.encode(About(FORMAT, time.time(), __version__, total, found.devices, found.received))
    counted = _Counted(lambda done: progress("packing", done, total))
    with os.fdopen(os.open(packed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with writing(file, passphrase) as archive:
            archive.add(ABOUT, len(about), BytesIO(about))
            for part in parts:
                with suppress(FileNotFoundError):  # a photo, say, that was deleted meanwhile
                    counted.file = part.path.open("rb")
                    with counted.file:
                        archive.add(part.name, os.fstat(counted.file.fileno()).st_size, counted)
        file.flush()
        os.fsync(file.fileno())


class _Counted:
    """Reads one file after the other, and tells how much that was."""

    file: BinaryIO

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._done = 0

    def read(self, size: int) -> bytes:
        """Some of the present file."""
        piece = self.file.read(size)
        self._done += len(piece)
        self._tell(self._done)
        return piece
