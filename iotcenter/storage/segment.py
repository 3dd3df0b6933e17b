"""One file of the inbox: written from its beginning to its end, then read, then deleted."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from weakref import finalize

from iotcenter.model import DeviceId
from iotcenter.storage.blocks import Block, Damaged, Record, blocks, device_key, key_at, record_at
from iotcenter.storage.durable import sync_directory

SEGMENT = 4 * 1024 * 1024
"""Bytes of one file: small enough for a disk of a few megabytes, and only a few are made in a busy second."""

WINDOW = 256 * 1024
"""Bytes that are read at once."""

SUFFIX = ".journal"


class Segment:
    """A file, and in memory where its records begin: 8 bytes for each.

    One thread writes, any may read. The file is closed when nobody refers to it any more, so that who still reads it
    may do so after it was deleted.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.base = int(path.stem, 16)
        self.used = 0
        """Bytes that are on disk, up to the end of a page."""
        self._descriptor = descriptor
        self._all = array("I")
        self._of_device: dict[bytes, array[int]] = {}
        self._bytes_of: dict[bytes, int] = {}
        finalize(self, os.close, descriptor)

    @classmethod
    def create(cls, directory: Path, base: int) -> Segment:
        """A new file for positions from ``base`` on, with its room set aside. Raises ``OSError``."""
        path = directory / f"{base:016x}{SUFFIX}"
        segment = cls(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            os.posix_fallocate(segment._descriptor, 0, SEGMENT)  # a full disk is noticed here, not in the middle
            sync_directory(directory)
        except OSError:
            path.unlink()
            raise
        return segment

    @classmethod
    def load(cls, path: Path) -> tuple[Segment, list[Block]]:
        """A file that is there, and the blocks in it; ``enter`` those that count. Raises ``OSError``."""
        segment = cls(path, os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        return segment, list(blocks(segment._read(0, SEGMENT), segment.base))

    @property
    def end(self) -> int:
        """The position behind what is on disk."""
        return self.base + self.used

    def write(self, block: bytes) -> None:
        """Bring ``block`` to disk, behind what is there. After an ``OSError`` the file must not be written again."""
        done = 0
        while done < len(block):
            done += os.pwrite(self._descriptor, block[done:] if done else block, self.used + done)
        os.fdatasync(self._descriptor)

    def enter(self, size: int, records: Sequence[tuple[bytes, int]]) -> None:
        """A block of ``size`` bytes is on disk; ``records`` are the devices and the offsets of what it holds."""
        ends = [*(offset for _, offset in records), self.used + size][1:]
        for (device, offset), end in zip(records, ends, strict=True):
            self._bytes_of[device] = self._bytes_of.get(device, 0) + end - offset
            self._all.append(offset)
            index = self._of_device.get(device)
            if index is None:
                index = self._of_device[device] = array("I")
            index.append(offset)
        self.used += size  # last: who looks meanwhile takes what lies before it for all there is

    def bytes_of(self, device: DeviceId) -> int:
        """How much of it is of one device."""
        return self._bytes_of.get(device_key(device), 0)

    def enter_found(self, block: Block) -> None:
        """As ``enter``, for a block that was found in the file."""
        offset = block.position - self.base
        data = self._read(offset, block.size)
        self.used = offset
        self.enter(block.size, [(key_at(data, record - offset), record) for record in block.records])

    def records(self, position: int, end: int, device: DeviceId | None = None) -> Iterator[Record | Damaged]:
        """The records from ``position`` up to ``end``, of one device or of all; in place of one that cannot be read
        any more, what is wrong."""
        index = self._all if device is None else self._of_device.get(device_key(device), _NONE)
        offsets = index[bisect_left(index, position - self.base) : bisect_left(index, end - self.base)]
        start, data = 0, b""
        for offset in offsets:
            record = _record(data, offset - start, self.base + start)
            if record is None:
                start, data = offset, self._read_or_nothing(offset, WINDOW)
                record = _record(data, 0, self.base + start)
            if record is None:  # it is longer than a window
                data = self._read_or_nothing(offset, SEGMENT)
                record = _record(data, 0, self.base + start) or Damaged()
            yield record

    def delete(self) -> None:
        """Delete the file; who reads it goes on."""
        self.path.unlink(missing_ok=True)

    def _read_or_nothing(self, offset: int, size: int) -> bytes:
        """Not beyond what was written: the kernel would take all that it read at once for changed, once a block is
        written into that."""
        try:
            return self._read(offset, min(size, self.used - offset))
        except OSError:
            return b""

    def _read(self, offset: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, offset)


_NONE: array[int] = array("I")


def _record(data: bytes, offset: int, base: int) -> Record | Damaged | None:
    try:
        return record_at(data, offset, base)
    except Damaged as damage:
        return damage
