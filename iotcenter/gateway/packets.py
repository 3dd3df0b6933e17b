"""What SSH packets hold (RFC 4251, section 5), read without trust."""

from __future__ import annotations

import struct

_u32 = struct.Struct(">I")


class Malformed(Exception):
    """A packet that cannot be; the text says what was wrong with it, and holds nothing of it."""


class Packet:
    """Reads the fields of a packet, in order. Raises ``Malformed`` where it is too short."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self) -> int:
        """A uint32."""
        return int(_u32.unpack(self._take(4))[0])

    def flag(self) -> bool:
        """A boolean."""
        return self._take(1) != b"\x00"

    def string(self) -> bytes:
        """A string of bytes."""
        return self._take(self.number())

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise Malformed("a packet ends too early")
        taken, self._at = self._data[self._at : end], end
        return taken


def number(value: int) -> bytes:
    """A uint32."""
    return _u32.pack(value)


def string(value: bytes) -> bytes:
    """A string of bytes."""
    return _u32.pack(len(value)) + value


def words(text: str) -> bytes:
    """A text for a person, with the language, which is not said."""
    return string(text.encode()) + string(b"")
