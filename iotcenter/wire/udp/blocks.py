"""Messages that no datagram holds: cut into blocks, sent one after the other, each acknowledged before the next."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from iotcenter.wire.errors import WireError

HEAD = struct.Struct(">HH")
MORE = 0x8000

LARGEST = 128 * 1024
"""The longest message in blocks: a hello that offers all it may fits, and a device cannot make us keep more."""


def split(whole: bytes, id: int, size: int) -> Iterator[bytes]:
    """The bodies of the blocks, each of at most ``size`` bytes, that carry ``whole``."""
    step = size - HEAD.size
    count = -(-len(whole) // step)
    for number in range(count):
        more = MORE if number < count - 1 else 0
        yield HEAD.pack(id, number | more) + whole[number * step : (number + 1) * step]


class Assembler:
    """Puts the blocks of one message after the other together again."""

    def __init__(self) -> None:
        self._id = -1
        self._next = 0
        self._parts = bytearray()

    def add(self, body: bytes) -> bytes | None:
        """Take the next block; the whole message, where it was the last. One that came before is taken as that.

        Raises ``WireError`` for a block that does not follow on the last, and for a message that is too long.
        """
        if len(body) <= HEAD.size:
            raise WireError("block is empty")
        id, numbered = HEAD.unpack_from(body)
        number = numbered & ~MORE
        if number == 0:
            self._id, self._next = id, 0
            self._parts.clear()
        elif id == self._id and number < self._next:
            return None
        elif id != self._id or number != self._next:
            raise WireError(f"block {number} does not follow on those before it")
        self._append(body[HEAD.size :])
        return None if numbered & MORE else self._whole()

    def _append(self, data: bytes) -> None:
        if len(self._parts) + len(data) > LARGEST:
            self._forget()
            raise WireError(f"message in blocks is longer than {LARGEST} bytes")
        self._parts += data
        self._next += 1

    def _whole(self) -> bytes:
        whole = bytes(self._parts)
        self._forget()
        return whole

    def _forget(self) -> None:
        self._id, self._next = -1, 0
        self._parts = bytearray()
