"""The archive: regular files in a tar stream, and nothing else. It is written and read piece by piece."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from iotcenter.backup.errors import BackupError

BLOCK = tarfile.BLOCKSIZE

PIECE = 1024 * 1024
"""Bytes that are in memory at a time."""

MOST_FILES = 1_000_000
"""Files in one archive: a million photos."""

LARGEST = 2**46
"""Bytes of one file, and of all together: more than disks hold."""

DEEPEST = 16
"""Folders within each other."""

USTAR_LARGEST = 8**11 - 1
"""Bytes of the largest file whose size the plain tar header can say; beyond it, GNU's way is taken."""

NO_ARCHIVE = "is no backup of IotCenter, or is damaged"


class Source(Protocol):
    """Where bytes come from; ``io`` has many."""

    def read(self, size: int, /) -> bytes:
        """Up to so many bytes; none at the end."""


class Sink(Protocol):
    """Where bytes go to."""

    def write(self, data: bytes, /) -> object:
        """Take ``data``, all of it."""


class Member(NamedTuple):
    """A file in an archive: its name with ``/`` between folders, and how many bytes it has."""

    name: str
    size: int


class ArchiveWriter:
    """Writes an archive to ``sink``."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def add(self, name: str, size: int, file: Source) -> None:
        """Put ``size`` bytes of ``file`` in. One that turns out shorter is filled up with zeros."""
        check_name(name)
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        try:
            if size <= USTAR_LARGEST:
                self._sink.write(info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict"))
            else:
                self._sink.write(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict"))
        except ValueError:
            raise BackupError(f"the name {name} is too long for a backup") from None
        left = size
        while left and (piece := file.read(min(left, PIECE))):
            self._sink.write(piece)
            left -= len(piece)
        self._zeros(left + -size % BLOCK)

    def finish(self) -> None:
        """That was all."""
        self._zeros(2 * BLOCK)

    def _zeros(self, count: int) -> None:
        while count:
            self._sink.write(bytes(min(count, PIECE)))
            count -= min(count, PIECE)


class ArchiveReader:
    """Reads an archive from ``source``. What does not fit raises ``BackupError``, whoever wrote it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = 0
        self._padding = 0

    def members(self) -> Iterator[Member]:
        """The files, one after the other; what is not read of one is passed over."""
        seen: set[str] = set()
        total = 0
        while (header := self._exactly(BLOCK)) != bytes(BLOCK):
            member = _member(header)
            total += member.size
            if member.name in seen or len(seen) >= MOST_FILES or total > LARGEST:
                raise BackupError(NO_ARCHIVE)
            seen.add(member.name)
            self._left, self._padding = member.size, -member.size % BLOCK
            yield member
            for _ in self.content():
                pass
            self._exactly(self._padding)
        if self._exactly(BLOCK) != bytes(BLOCK) or self._source.read(1):
            raise BackupError(NO_ARCHIVE)

    def content(self) -> Iterator[bytes]:
        """What is in the present file, piece by piece."""
        while self._left:
            piece = self._source.read(min(self._left, PIECE))
            if not piece:
                raise BackupError(NO_ARCHIVE)
            self._left -= len(piece)
            yield piece

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._source.read(size)
            if not part:
                raise BackupError(NO_ARCHIVE)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def check_name(name: str) -> None:
    """Raise ``BackupError`` for a name that could lead out of the directory into which it is restored, or confuse
    people."""
    parts = name.split("/")
    if len(parts) > DEEPEST or not name.isprintable() or "\\" in name:
        raise BackupError(f"{name!r} cannot be the name of a file in a backup")
    if any(not part or part.startswith(".") or len(part.encode()) > 255 for part in parts):
        raise BackupError(f"{name!r} cannot be the name of a file in a backup")


def _member(header: bytes) -> Member:
    try:
        info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError):
        raise BackupError(NO_ARCHIVE) from None
    if info.type != tarfile.REGTYPE or not 0 <= info.size <= LARGEST:
        raise BackupError(NO_ARCHIVE)
    check_name(info.name)
    return Member(info.name, info.size)
