"""The files that wait on disk until the server has them: one file each, its description before its content.

An ``UploadQueue`` blocks; the agent calls it in one thread, which is not that of the spool.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from iotcenter.wire.errors import UNDECODABLE
from iotdevice.config import UploadSettings
from iotdevice.errors import printable
from iotdevice.files import sync_directory
from iotdevice.upload import Upload, UploadError

PIECE = 256 * 1024
"""Bytes that are copied at once."""

RESERVE = 50_000_000
"""Bytes of the disk that stay free: readings and the machine need them more."""

HEAD = 4096
"""Bytes before the content: the length of the description in two bytes, the description, and zeros."""

NEW = ".new"
"""How the file is called that is being written."""


class Waiting(Struct, frozen=True, array_like=True):
    """A file that waits. ``id`` is a random number that never comes again, ``digest`` the SHA-256, ``time`` when it was
    handed in: Unix time, 0 where the clock was not set."""

    id: int
    name: str
    media_type: str
    size: int
    digest: bytes
    time: float
    command: int
    place: int = 0

    @property
    def file(self) -> str:
        """What it is called on disk."""
        return f"{self.place:012d}"


_waiting = msgspec.msgpack.Decoder(Waiting)


class UploadQueue:
    """Files on disk in the order in which they were handed in, bounded by what they take together."""

    def __init__(self, directory: Path, settings: UploadSettings) -> None:
        self._directory = directory
        self._most = settings.megabytes * 1_000_000
        self._next = 0
        """The place of the next one; 0 as long as it is not known which are taken."""

    def load(self) -> list[Waiting]:
        """Those that wait since an earlier start, oldest first. One that cannot be read is deleted."""
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            (self._directory / NEW).unlink(missing_ok=True)
            found = list(self._load())
        except OSError as error:
            raise UploadError(f"what waits to be sent cannot be read: {error.strerror}") from None
        self._next = found[-1].place + 1 if found else 1
        return found

    def put(self, upload: Upload, time: float) -> Waiting:
        """Bring a file to disk. Raises ``UploadError``."""
        if not self._next:
            raise UploadError(f"{upload.name} cannot be kept: what waits to be sent could not be read")
        try:
            if isinstance(upload.content, bytes):
                return self._put(upload, io.BytesIO(upload.content), time)
            with upload.content.open("rb") as source:
                return self._put(upload, source, time)
        except OSError as error:
            raise UploadError(f"{upload.name} cannot be kept: {error.strerror}") from None
        finally:
            with suppress(OSError):
                (self._directory / NEW).unlink(missing_ok=True)

    def too_much(self, waiting: list[Waiting]) -> list[Waiting]:
        """The oldest of those that wait, as many as have to go so that the rest keeps the bound."""
        excess = sum(one.size for one in waiting) - self._most
        gone = []
        for one in waiting:
            if excess <= 0:
                break
            gone.append(one)
            excess -= one.size
        return gone

    def read(self, waiting: Waiting, offset: int, size: int) -> bytes:
        """A piece of the content. Raises ``UploadError`` where it cannot be had."""
        try:
            with (self._directory / waiting.file).open("rb") as file:
                file.seek(HEAD + offset)
                data = file.read(size)
        except OSError as error:
            raise UploadError(f"{waiting.name} cannot be read: {error.strerror}") from None
        if not data:
            raise UploadError(f"{waiting.name} is not whole any more")
        return data

    def drop(self, waiting: Waiting) -> None:
        """It is there, or will never be. What cannot be deleted is sent again after the next start, which does no
        harm."""
        with suppress(OSError):
            (self._directory / waiting.file).unlink(missing_ok=True)

    def _load(self) -> Iterator[Waiting]:
        for path in sorted(self._directory.iterdir()):
            if not path.is_file():
                continue
            try:
                with path.open("rb") as file:
                    waiting = _described(file.read(HEAD))
                    whole = file.seek(0, os.SEEK_END) == HEAD + waiting.size
            except UNDECODABLE:
                whole = False
            if whole and waiting.file == path.name:
                yield waiting
            else:
                path.unlink()

    def _put(self, upload: Upload, source: BinaryIO, time: float) -> Waiting:
        disk = os.statvfs(self._directory)
        room = min(self._most, disk.f_bavail * disk.f_frsize - RESERVE)
        new = self._directory / NEW
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            target.seek(HEAD)
            size, digest = _copy(upload.name, source, target, room)
            waiting = Waiting(
                secrets.randbits(62),
                printable(upload.name),
                printable(upload.media_type),
                size,
                digest,
                time,
                upload.command,
                self._next,
            )
            target.seek(0)
            target.write(_description(waiting))
            target.flush()
            os.fsync(target.fileno())
        new.rename(self._directory / waiting.file)
        sync_directory(self._directory)
        self._next += 1
        return waiting


def _description(waiting: Waiting) -> bytes:
    """What stands before the content."""
    packed = msgspec.msgpack.encode(waiting)
    return (len(packed).to_bytes(2) + packed).ljust(HEAD, b"\0")


def _described(head: bytes) -> Waiting:
    """The reverse. Raises one of ``UNDECODABLE``."""
    return _waiting.decode(head[2 : 2 + int.from_bytes(head[:2])])


def _copy(name: str, source: BinaryIO, target: BinaryIO, room: int) -> tuple[int, bytes]:
    """Copy all of ``source``; its size and SHA-256."""
    size, digest = 0, hashlib.sha256()
    while piece := source.read(PIECE):
        size += len(piece)
        if size > room:
            raise UploadError(f"{name} is too large: there is room for {max(room, 0)} bytes")
        digest.update(piece)
        target.write(piece)
    if not size:
        raise UploadError(f"{name} is empty")
    return size, digest.digest()
