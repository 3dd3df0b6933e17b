"""The folder of what devices send: pieces gather in a part, and a part that is whole becomes a file.

All names in it are made here; nothing that a device says becomes part of a path. Everything blocks, and all that
changes something is called on one thread.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from iotcenter.model import DeviceId
from iotcenter.storage.durable import sync_directory
from iotcenter.storage.errors import NotFound, disk_errors_in_words
from iotcenter.storage.media import HEAD

PART = "."
"""What the names of parts begin with: backups leave them out, since their devices have the whole."""

PART_NAME = re.compile(r"\.([0-9a-f]{32})-([0-9a-f]{1,16})")

_OPEN = os.O_NOFOLLOW | os.O_CLOEXEC


class Damaged(Exception):
    """What came is not what the device said that it sends."""


class Part(NamedTuple):
    """A file of which not all has come: the device's number for it, how many bytes are here, and since when (Unix
    time)."""

    device: DeviceId
    number: int
    have: int
    changed: float

    @property
    def name(self) -> str:
        """What it is called in the folder."""
        return part_name(self.device, self.number)


def part_name(device: DeviceId, number: int) -> str:
    """What the part of the device's file ``number`` is called in the folder."""
    return f"{PART}{device}-{number:x}"


class Folder:
    """Files and parts in ``directory``. What fails raises ``DiskTrouble``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def open(self) -> list[Part]:
        """Make the folder where there is none; the parts that are in it."""
        with disk_errors_in_words():
            self._directory.mkdir(mode=0o700, exist_ok=True)
            return list(self._parts())

    def room(self) -> int:
        """How many bytes the disk has left for us."""
        with disk_errors_in_words():
            disk = os.statvfs(self._directory)
        return disk.f_bavail * disk.f_frsize

    def add(self, name: str, offset: int, data: bytes) -> None:
        """Put ``data`` at ``offset`` of a part, which ends there; without it, all is as it was."""
        with disk_errors_in_words():
            descriptor = os.open(self._directory / name, os.O_WRONLY | os.O_CREAT | _OPEN, 0o600)
            try:
                os.ftruncate(descriptor, offset)
                _write(descriptor, offset, data)
            except OSError:
                os.ftruncate(descriptor, offset)
                raise
            finally:
                os.close(descriptor)

    def complete(self, part: str, size: int, digest: bytes, name: str) -> bytes:
        """Make the part a file called ``name``, on disk when this returns; its first bytes.

        Raises ``Damaged`` where its size or its SHA-256 is another; the part is gone then.
        """
        path = self._directory / part
        with disk_errors_in_words():
            with os.fdopen(os.open(path, os.O_RDONLY | _OPEN), "rb") as file:
                whole = os.fstat(file.fileno()).st_size == size
                if not whole or hashlib.file_digest(file, "sha256").digest() != digest:
                    path.unlink()
                    raise Damaged
                file.seek(0)
                head = file.read(HEAD)
                os.fsync(file.fileno())
            path.rename(self._directory / name)
            sync_directory(self._directory)
        return head

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes of a file. Raises ``NotFound`` where it is not there."""
        with disk_errors_in_words():
            try:
                descriptor = os.open(self._directory / name, os.O_RDONLY | _OPEN)
            except FileNotFoundError:
                raise NotFound("The content of this file is gone.") from None
            try:
                return os.pread(descriptor, size, offset)
            finally:
                os.close(descriptor)

    def names(self) -> list[str]:
        """The names of all files; not of parts, nor of folders, which others put here."""
        with disk_errors_in_words(), os.scandir(self._directory) as entries:
            return [
                entry.name
                for entry in entries
                if not entry.name.startswith(PART) and not entry.is_dir(follow_symlinks=False)
            ]

    def drop(self, names: Iterable[str]) -> None:
        """Delete files or parts, those of them that are there."""
        with disk_errors_in_words():
            for name in names:
                (self._directory / name).unlink(missing_ok=True)

    def _parts(self) -> Iterator[Part]:
        with os.scandir(self._directory) as entries:
            for entry in entries:
                status, named = entry.stat(follow_symlinks=False), PART_NAME.fullmatch(entry.name)
                if named and S_ISREG(status.st_mode):
                    yield Part(named[1], int(named[2], 16), status.st_size, status.st_mtime)


def _write(descriptor: int, offset: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(descriptor, left, offset)
        left, offset = left[written:], offset + written
