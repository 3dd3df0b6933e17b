"""Motion JPEG as cameras serve it over HTTP: an answer of type ``multipart/x-mixed-replace``, each part a picture.

The bytes come from a device, which may send anything: whatever is not such a stream is refused, in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_HEAD = 16 * 1024
"""The longest head of the answer, and of each part: cameras send some 200 bytes."""

MAX_FRAME = 1024 * 1024
"""The longest picture: 4 megapixels at a fair quality. A viewer that reads slowly has at most one under way."""

JPEG = b"\xff\xd8\xff"
"""How each JPEG begins."""

JPEG_END = b"\xff\xd9"

HEAD_END = re.compile(rb"\r?\n\r?\n")
BOUNDARY = re.compile(r'boundary="?-*([^";,\s]{1,200})"?', re.IGNORECASE)
LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d{1,8})[ \t]*\r?$")


class VideoError(Exception):
    """That is no video that can be shown; the text says why."""


def request_for(path: str) -> bytes:
    """What to ask a camera, by HTTP/1.0: its answer is not in chunks then."""
    return f"GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: multipart/x-mixed-replace\r\n\r\n".encode()


class MjpegReader:
    """Takes such an answer apart, however it was chunked. It keeps no more than one picture and what came with it."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._delimiter = b""
        self._in_part = False
        self._length: int | None = None

    def receive(self, data: bytes) -> Iterator[bytes]:
        """The pictures that ``data`` completes. Raises ``VideoError``."""
        self._buffer += data
        if not self._delimiter and not self._read_head():
            return
        while self._in_part or self._begin_part():
            frame = self._take_frame()
            if frame is None:
                return
            yield frame

    def _read_head(self) -> bool:
        """The head of the answer, if it is complete."""
        head = self._take_head("the answer")
        if head is None:
            return False
        status, _, fields = head.partition(b"\n")
        if re.match(rb"HTTP/1\.[01] 200\b", status) is None:
            raise VideoError(f"the camera answered {status[:60].decode('latin-1').strip()!a}")
        kind = re.search(rb"(?im)^content-type:[ \t]*multipart/x-mixed-replace[ \t]*;(.*)$", fields)
        boundary = BOUNDARY.search(kind[1].decode("latin-1")) if kind else None
        if boundary is None or re.search(rb"(?im)^transfer-encoding:", fields):
            raise VideoError("the camera serves no Motion JPEG (multipart/x-mixed-replace) at that path")
        self._delimiter = b"--" + boundary[1].encode("latin-1")
        return True

    def _begin_part(self) -> bool:
        """The head of the next part, if it is complete."""
        place = self._buffer.find(self._delimiter)
        if place < 0:
            if len(self._buffer) > MAX_HEAD:
                raise VideoError("there is something between its pictures")
            return False
        del self._buffer[:place]
        if self._buffer.startswith(self._delimiter + b"--"):
            raise VideoError("the camera ended it")
        head = self._take_head("a picture")
        if head is None:
            return False
        found = LENGTH.search(head)
        self._length = int(found[1]) if found else None
        if self._length is not None and self._length > MAX_FRAME:
            raise VideoError(f"a picture has {self._length} bytes, {MAX_FRAME} at most can be shown")
        self._in_part, self._searched = True, 0
        return True

    def _take_frame(self) -> bytes | None:
        """The picture of this part, if it is complete."""
        end = self._length if self._length is not None else self._find_end()
        if end is None or len(self._buffer) < end:
            return None
        frame = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._in_part = False
        last = frame.rfind(JPEG_END)
        if not frame.startswith(JPEG) or last < 0:
            raise VideoError("what it sends is no JPEG")
        return frame[: last + len(JPEG_END)]

    def _find_end(self) -> int | None:
        """Where the next part begins, for a picture that does not say how long it is."""
        place = self._buffer.find(self._delimiter, self._searched)
        if place >= 0:
            return place
        self._searched = max(0, len(self._buffer) - len(self._delimiter))
        if len(self._buffer) > MAX_FRAME:
            raise VideoError(f"a picture has over {MAX_FRAME} bytes")
        return None

    def _take_head(self, what: str) -> bytes | None:
        """What stands before an empty line, if that is there."""
        end = HEAD_END.search(self._buffer, 0, MAX_HEAD)
        if end is None:
            if len(self._buffer) >= MAX_HEAD:
                raise VideoError(f"the head of {what} is over {MAX_HEAD} bytes")
            return None
        head = bytes(self._buffer[: end.start()]) + b"\r\n"
        del self._buffer[: end.end()]
        return head
