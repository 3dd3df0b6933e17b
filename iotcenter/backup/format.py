"""A backup as a file: gzip around an archive, and age around both where there is a passphrase.

Its first member says what it is; the others are the files of a data directory.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
from msgspec import Struct

from iotcenter.backup.age import AgeReader, AgeWriter, is_age
from iotcenter.backup.archive import NO_ARCHIVE, ArchiveReader, ArchiveWriter
from iotcenter.backup.errors import BackupError
from iotcenter.wire.errors import UNDECODABLE

ABOUT = "iotcenter-backup.json"
"""The first member."""

LARGEST_ABOUT = 64 * 1024

FORMAT = 1

COMPRESSION = 1
"""gzip's quickest: readings shrink to a third, and the next level takes twice as long for a twentieth less."""


class About(Struct, frozen=True):
    """What a backup is: when it was made, by which version, and how many bytes its files have. ``devices`` and
    ``received`` are the devices in it, and the readings that were received of them."""

    format: int
    created: float
    version: str
    bytes: int
    devices: int
    received: int


class Missing(Exception):
    """The file is encrypted, and no passphrase was given."""


@contextmanager
def writing(file: BinaryIO, passphrase: str | None) -> Iterator[ArchiveWriter]:
    """An archive that is written into ``file``; whole only where no exception ends it."""
    sealed = AgeWriter(file, passphrase) if passphrase is not None else None
    # No name and no time: they would say something of what is in it.
    with gzip.GzipFile("", "wb", COMPRESSION, cast(Any, sealed or file), mtime=0) as packed:
        archive = ArchiveWriter(packed)
        yield archive
        archive.finish()
    if sealed is not None:
        sealed.finish()


@contextmanager
def reading(path: Path, passphrase: str | None) -> Iterator[tuple[ArchiveReader, BinaryIO]]:
    """The archive in the file at ``path``, and that file, whose position says how far one has got.

    Raises ``Missing`` where it takes a passphrase, and ``BackupError`` that names it for all that is wrong with it.
    """
    try:
        with path.open("rb") as file:
            yield _opened(file, passphrase), file
    except BackupError as error:
        raise type(error)(f"{path}: {error}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise BackupError(f"{path}: {NO_ARCHIVE}") from None


def about(archive: ArchiveReader, name: str) -> About:
    """What the first member, which is called ``name``, says. Raises ``BackupError``."""
    if name != ABOUT:
        raise BackupError(NO_ARCHIVE)
    content = bytearray()
    for piece in archive.content():
        content += piece
        if len(content) > LARGEST_ABOUT:
            raise BackupError(NO_ARCHIVE)
    try:
        found = msgspec.json.decode(content, type=About)
    except UNDECODABLE:
        raise BackupError(NO_ARCHIVE) from None
    if found.format != FORMAT:
        raise BackupError(f"was made by a newer IotCenter ({found.version[:40]!a}): install that first")
    return found


def _opened(file: BinaryIO, passphrase: str | None) -> ArchiveReader:
    beginning = file.peek(64) if isinstance(file, io.BufferedReader) else b""
    if not is_age(beginning):
        return ArchiveReader(gzip.GzipFile(fileobj=file, mode="rb"))
    if passphrase is None:
        raise Missing
    return ArchiveReader(gzip.GzipFile(fileobj=cast(Any, AgeReader(file, passphrase)), mode="rb"))
