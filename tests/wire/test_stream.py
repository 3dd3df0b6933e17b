"""Streams in pieces, however they were chunked."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.wire.errors import WireError
from iotcenter.wire.stream import END, MAX_PIECE, StreamReader, piece
from tests.wire.test_framing import pieces


class StreamReaderTests(SynchronousTestCase):
    """What one side writes is what the other reads, with its end."""

    @given(st.lists(st.binary(min_size=1, max_size=100), max_size=5), st.lists(st.integers(0, 1000), max_size=10))
    def test_any_chunking(self, sent: list[bytes], cuts: list[int]) -> None:
        """The same bytes come out whole, one at a time, or cut at random; the end only behind them."""
        stream = b"".join(piece(data) for data in sent) + END
        for chunks in ([stream], [stream[at : at + 1] for at in range(len(stream))], pieces(stream, cuts)):
            reader, received = StreamReader(), b""
            for chunk in chunks:
                self.assertFalse(reader.ended and chunk)
                received += b"".join(reader.receive(chunk))
            self.assertTrue(reader.ended)
            self.assertEqual(received, b"".join(sent))

    @given(st.binary(max_size=300))
    def test_hostile_bytes(self, data: bytes) -> None:
        """Whatever comes, it is read or refused, and no more comes out than went in."""
        reader, received = StreamReader(), 0
        try:
            for part in reader.receive(data):
                received += len(part)
        except WireError:
            pass
        self.assertLessEqual(received, len(data))

    def test_as_it_comes(self) -> None:
        """A piece that is not complete is handed on all the same: nothing is kept of it."""
        reader = StreamReader()
        self.assertEqual(list(reader.receive(struct.pack(">I", MAX_PIECE) + b"begin")), [b"begin"])
        self.assertEqual(list(reader.receive(b"more")), [b"more"])

    def test_too_long(self) -> None:
        """A length over the limit is refused as soon as it is seen."""
        for length in (MAX_PIECE + 1, 2**32 - 1):
            with self.assertRaises(WireError):
                list(StreamReader().receive(struct.pack(">I", length)))

    def test_behind_the_end(self) -> None:
        """Nothing may follow the end."""
        reader = StreamReader()
        with self.assertRaises(WireError):
            list(reader.receive(END + b"\x00"))
