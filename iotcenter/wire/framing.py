"""Messages on a stream: four bytes of length, big-endian, then the message."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from iotcenter.model import Message
from iotcenter.wire.codec import encode
from iotcenter.wire.errors import WireError

MAX_FRAME = 1024 * 1024
"""The longest frame that there is. A reader may set itself a lower limit, as the server does for what devices send."""

_length = struct.Struct(">I")


def frame(message: Message) -> bytes:
    """``message`` with its length before it, ready to be written."""
    body = encode(message)
    if len(body) > MAX_FRAME:
        raise WireError(f"message of {len(body)} bytes is over the limit of {MAX_FRAME}")
    return _length.pack(len(body)) + body


class FrameReader:
    """Cuts a stream into frames, however it was chunked.

    A frame that claims to be longer than ``limit`` is refused as soon as its length is seen, before any of it is kept.
    """

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self.limit = limit
        self._buffer = bytearray()

    def rest(self) -> bytes:
        """What came behind the last frame, which is somebody else's to read from now on."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def receive(self, data: bytes) -> Iterator[bytes]:
        """The frames that ``data`` completes, in order. Raises ``WireError`` at a length that is out of bounds."""
        buffer: bytearray = self._buffer
        chunk: bytes | bytearray = data
        if buffer:
            buffer += data
            chunk = buffer
        start, size = 0, len(chunk)
        try:
            while size - start >= 4:
                (length,) = _length.unpack_from(chunk, start)
                if not 1 <= length <= self.limit:
                    start = size
                    raise WireError(f"frame of {length} bytes is outside 1 to {self.limit}")
                body = start + 4
                if size - body < length:
                    return
                start = body + length
                yield bytes(chunk[body:start])
        finally:
            if buffer:
                del buffer[:start]
            else:
                buffer += chunk[start:]
