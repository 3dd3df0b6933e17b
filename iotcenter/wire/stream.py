"""A stream of bytes each way over a tunnel's connection: pieces with their length before them, and an empty one for the
end of one direction, since TLS can only end both at once."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from iotcenter.wire.errors import WireError

MAX_PIECE = 1024 * 1024
"""The longest piece that is taken. It is handed on as it comes, so this bounds no memory: a longer one is no piece."""

END = bytes(4)
"""No more comes from this side; the other may go on."""

_length = struct.Struct(">I")


def piece(data: bytes) -> bytes:
    """``data``, of which there is some, ready to be written."""
    return _length.pack(len(data)) + data


class StreamReader:
    """Takes a stream of pieces apart, however it was chunked. Of a piece it keeps nothing but how much is to come."""

    def __init__(self) -> None:
        self.ended = False
        """Whether the other side has said that no more comes."""
        self._head = b""
        self._left = 0

    def receive(self, data: bytes) -> Iterator[bytes]:
        """What ``data`` holds of the stream, in order. Raises ``WireError`` at a length that is out of bounds, and at
        anything behind the end."""
        start = 0
        while start < len(data):
            if self._left:
                part = data[start : start + self._left]
                self._left -= len(part)
                start += len(part)
                yield part
            else:
                need = 4 - len(self._head)
                self._head += data[start : start + need]
                start += need
                self._begin()

    def _begin(self) -> None:
        """Begin the next piece, where its length is complete."""
        if self.ended:
            raise WireError("the stream goes on behind its end")
        if len(self._head) < 4:
            return
        (self._left,) = _length.unpack(self._head)
        self._head = b""
        if self._left > MAX_PIECE:
            raise WireError(f"piece of {self._left} bytes is over {MAX_PIECE}")
        self.ended = self._left == 0
