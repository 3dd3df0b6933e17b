"""Motion JPEG, as devices send it and as they should not."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.wire.mjpeg import MAX_FRAME, MAX_HEAD, MjpegReader, VideoError
from tests.camera import PICTURE

HEAD = b"HTTP/1.0 200 OK\r\nServer: x\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n"
OTHER = b"\xff\xd8\xff\xe0 another \xff\xd9"


def part(picture: bytes, fields: bytes = b"Content-Type: image/jpeg\r\n", length: bool = True) -> bytes:
    """One picture in its frame."""
    size = b"Content-Length: %d\r\n" % len(picture) if length else b""
    return b"--b\r\n" + fields + size + b"\r\n" + picture + b"\r\n"


def read(*pieces: bytes) -> list[bytes]:
    """The pictures in a stream."""
    reader = MjpegReader()
    return [picture for piece in pieces for picture in reader.receive(piece)]


class StreamTests(SynchronousTestCase):
    """``MjpegReader`` with what cameras send."""

    @given(st.lists(st.integers(0, 2000), max_size=20), st.booleans())
    def test_however_it_is_cut(self, cuts: list[int], length: bool) -> None:
        """The pictures are the same however the stream was chunked, and whether or not they say how long they are."""
        stream = (
            HEAD + part(PICTURE, length=length) + part(OTHER, length=length) + part(PICTURE, length=length) + b"--b\r\n"
        )
        places = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
        pieces = [stream[start:end] for start, end in pairwise(places)]
        self.assertEqual(read(*pieces), [PICTURE, OTHER, PICTURE])

    def test_quirks(self) -> None:
        """Boundaries in quotes, with dashes of their own, and bare line feeds are understood."""
        for named in (b'"b"', b"--b", b"b; x=y"):
            self.assertEqual(read(HEAD.replace(b"boundary=b", b"boundary=" + named), part(PICTURE)), [PICTURE])
        plain = (HEAD + part(PICTURE)).replace(b"\r\n", b"\n").replace(PICTURE.replace(b"\r\n", b"\n"), PICTURE)
        self.assertEqual(read(plain), [PICTURE])

    def test_one_byte_at_a_time(self) -> None:
        """So slow a link does no harm."""
        stream = HEAD + part(PICTURE)
        self.assertEqual(read(*(stream[place : place + 1] for place in range(len(stream)))), [PICTURE])


class HostileTests(SynchronousTestCase):
    """``MjpegReader`` with everything else."""

    def refusal(self, *pieces: bytes) -> str:
        """Why a stream is refused."""
        return str(self.assertRaises(VideoError, read, *pieces))

    def test_no_video(self) -> None:
        """An answer that is an error, or no Motion JPEG, is told as what it is."""
        self.assertIn("404", self.refusal(b"HTTP/1.1 404 Not Found\r\n\r\n"))
        self.assertIn("Motion JPEG", self.refusal(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"))
        self.assertIn("Motion JPEG", self.refusal(HEAD[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"))
        self.assertNotIn("\x1b", self.refusal(b"\x1b[2J\r\n\r\n"))

    def test_no_picture(self) -> None:
        """Nothing but JPEG gets through."""
        for content in (b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n", b"", PICTURE[:-2].replace(b"\xff\xd9", b"")):
            self.assertIn("no JPEG", self.refusal(HEAD, part(content)))

    def test_bounds(self) -> None:
        """Heads and pictures that never end, or are too long, are refused before they fill the memory."""
        self.assertIn("head", self.refusal(b"x" * (MAX_HEAD + 1)))
        self.assertIn("head", self.refusal(HEAD, b"--b\r\n" + b"x" * MAX_HEAD))
        self.assertIn("between", self.refusal(HEAD, b"x" * (MAX_HEAD + 1)))
        self.assertIn("bytes", self.refusal(HEAD, b"--b\r\nContent-Length: 99999999\r\n\r\n"))
        self.assertIn("bytes", self.refusal(HEAD, b"--b\r\n\r\n\xff\xd8\xff", bytes(MAX_FRAME)))

    def test_the_end(self) -> None:
        """A camera may say that it shows no more."""
        self.assertIn("ended", self.refusal(HEAD, part(PICTURE), b"--b--\r\n"))

    @given(st.lists(st.binary(max_size=300) | st.sampled_from([HEAD, b"--b", b"\r\n\r\n", part(OTHER)]), max_size=12))
    def test_any_bytes(self, pieces: list[bytes]) -> None:
        """Whatever comes, only whole JPEGs come out, and nothing else goes wrong."""
        try:
            pictures = read(*pieces)
        except VideoError:
            return
        self.assertTrue(all(picture.startswith(b"\xff\xd8\xff") for picture in pictures))
