"""The bytes of the inbox: blocks of checksummed records. Bytes in, records out: no file, no clock.

A block is what one commit wrote, and begins on a page of its own: what was acknowledged is never written again. It has
a header (mark, checksum, its position, that of the block before it, its length), then records. A record has a header
(checksum, length, device, time of receipt), then frames as devices send them: four bytes of length, then a message.
A position counts the bytes of all inboxes there ever were, so that it grows for ever.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from zlib import crc32

from iotcenter.model import DeviceId

PAGE = 4096
"""Bytes that a disk writes at a time."""

FIRST = 0
"""What a block says of the one before it where there was none."""

_MARK = b"IoTb"
_BLOCK = struct.Struct(">4sIQQI")
_CHECKED = struct.Struct(">QQI")
_RECORD = struct.Struct(">II16sd")
_CHECKED_FROM = 4
_LENGTH = struct.Struct(">I")
_SINGLE = struct.Struct(">I16sdI")

BLOCK_HEADER = _BLOCK.size
RECORD_HEADER = _RECORD.size


class Damaged(Exception):
    """Bytes are not those that were written."""


class Record(NamedTuple):
    """Frames that came together from one device, and when. ``end`` is the position behind it."""

    device: DeviceId
    received: float
    frames: bytes
    end: int


class Block(NamedTuple):
    """A block that was found. ``records`` are where its whole records begin, counted from the beginning of its file.

    ``whole`` says that none of them is missing, ``size`` how many bytes the block has, up to the end of a page.
    """

    position: int
    previous: int
    size: int
    records: list[int]
    whole: bool


def pack_frames(bodies: Iterable[bytes]) -> bytes:
    """Messages, each with its length before it."""
    return b"".join([_LENGTH.pack(len(body)) + body for body in bodies])


def unpack_frames(frames: bytes) -> Iterator[bytes]:
    """The messages that ``pack_frames`` put together."""
    start, end = 0, len(frames)
    while start < end:
        body = start + 4
        start = body + _LENGTH.unpack_from(frames, start)[0]
        yield frames[body:start]


def pack_record(device: DeviceId, received: float, frames: bytes) -> bytes:
    """A record as it is written."""
    header = _RECORD.pack(0, len(frames), bytes.fromhex(device), received)[_CHECKED_FROM:]
    return b"".join((_LENGTH.pack(crc32(frames, crc32(header))), header, frames))


def pack_report(device: DeviceId, received: float, body: bytes) -> bytes:
    """``pack_record`` for a single message, as datagrams bring them."""
    size = len(body)
    checked = _SINGLE.pack(_LENGTH.size + size, bytes.fromhex(device), received, size) + body
    return crc32(checked).to_bytes(4, "big") + checked


def pack_block(position: int, previous: int, records: Sequence[bytes]) -> bytes:
    """A block as it is written, up to the end of a page."""
    length = sum(map(len, records))
    checked = _CHECKED.pack(position, previous, length)
    padding = bytes(-(BLOCK_HEADER + length) % PAGE)
    return b"".join((_MARK, _LENGTH.pack(crc32(checked)), checked, *records, padding))


def device_key(device: DeviceId) -> bytes:
    """A device as it stands in a record."""
    return bytes.fromhex(device)


def key_at(data: bytes, offset: int) -> bytes:
    """The device of the record that begins at ``offset``."""
    return data[offset + 8 : offset + 24]


def record_at(data: bytes, offset: int, base: int) -> Record | None:
    """The record that begins at ``offset`` of ``data``, which begins at position ``base``; None where ``data`` ends
    within it. Raises ``Damaged``."""
    start = offset + RECORD_HEADER
    if start > len(data):
        return None
    checksum, length, device, received = _RECORD.unpack_from(data, offset)
    end = start + length
    if end > len(data):
        return None
    frames = data[start:end]
    if crc32(frames, crc32(data[offset + _CHECKED_FROM : start])) != checksum:
        raise Damaged
    return Record(device.hex(), received, frames, base + end)


def blocks(data: bytes, base: int) -> Iterator[Block]:
    """The blocks in the file ``data`` whose first byte has the position ``base``; what is none is skipped."""
    offset = 0
    while offset + BLOCK_HEADER <= len(data):
        block = _block_at(data, offset, base)
        if block is not None:
            yield block
        offset += PAGE if block is None else block.size


def _block_at(data: bytes, offset: int, base: int) -> Block | None:
    mark, checksum, position, previous, length = _BLOCK.unpack_from(data, offset)
    if mark != _MARK or position != base + offset or crc32(data[offset + 8 : offset + BLOCK_HEADER]) != checksum:
        return None
    start, end = offset + BLOCK_HEADER, offset + BLOCK_HEADER + length
    records, whole = _records(data, start, end)
    size = BLOCK_HEADER + length
    return Block(position, previous, size + -size % PAGE, records, whole)


def _records(data: bytes, start: int, end: int) -> tuple[list[int], bool]:
    """Where records begin between ``start`` and ``end``, and whether they are all there.

    Where the length of one is damaged, the rest of its block is given up: searching it for something that looks like a
    record would find what a device put into a reading.
    """
    found: list[int] = []
    whole = end <= len(data)
    while start < end:
        try:
            record = record_at(data, start, 0)
        except Damaged:
            whole = False
            start += RECORD_HEADER + _LENGTH.unpack_from(data, start + 4)[0]
            continue
        if record is None or record.end > end:
            return found, False
        found.append(start)
        start = record.end
    return found, whole


def sound(found: Sequence[Block], merged: int) -> tuple[list[Block], int]:
    """What of the blocks that were ``found`` is to be merged, and in how many places acknowledged records are missing.

    A block that another one names as the one before it was acknowledged. One that is torn and was not is what a power
    cut leaves: whoever sent it sends it again. Up to the position ``merged`` nothing is missed.
    """
    positions = {block.position for block in found}
    confirmed = {block.previous for block in found}
    kept, faults = [], 0
    for block in found:
        if block.previous not in positions and block.previous != FIRST and block.previous >= merged:
            faults += 1
        if block.whole or block.position in confirmed:
            kept.append(block)
            faults += not block.whole
    return kept, faults
