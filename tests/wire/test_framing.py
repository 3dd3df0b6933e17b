"""Streams cut into frames, however they were chunked."""

from __future__ import annotations

import itertools
import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import Message
from iotcenter.wire.codec import decode
from iotcenter.wire.errors import WireError
from iotcenter.wire.framing import MAX_FRAME, FrameReader, frame
from iotcenter.wire.messages import File, Ping
from tests.wire.strategies import messages


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """``data`` cut at ``cuts``."""
    places = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


class FrameReaderTests(SynchronousTestCase):
    """What frames carry arrives, and nothing that claims too much is kept."""

    @given(st.lists(messages, max_size=5), st.lists(st.integers(0, 10_000), max_size=10))
    def test_any_chunking(self, sent: list[Message], cuts: list[int]) -> None:
        """The same messages come out whole, one byte at a time, or cut at random."""
        stream = b"".join(frame(message) for message in sent)
        for chunks in ([stream], [stream[at : at + 1] for at in range(len(stream))], pieces(stream, cuts)):
            reader = FrameReader()
            received = [decode(body) for chunk in chunks for body in reader.receive(chunk)]
            self.assertEqual(received, sent)
            self.assertEqual(reader.rest(), b"")

    def test_oversized_is_refused_from_its_length(self) -> None:
        """A length over the limit is refused before any of the frame has come, and nothing of it is kept."""
        for length in (MAX_FRAME + 1, 2**32 - 1, 0):
            reader = FrameReader()
            with self.assertRaises(WireError) as caught:
                list(reader.receive(struct.pack(">I", length) + b"x" * 100))
            self.assertIn(str(length), str(caught.exception))
            self.assertEqual(reader.rest(), b"")

    def test_frames_before_a_bad_one_are_given(self) -> None:
        """What came rightly before the fault was handed on."""
        received = []
        with self.assertRaises(WireError):
            for body in FrameReader().receive(frame(Ping()) + b"\xff\xff\xff\xff"):
                received.append(decode(body))
        self.assertEqual(received, [Ping()])

    def test_the_limit_may_change_between_frames(self) -> None:
        """Somebody who has shown who they are may send longer frames."""
        reader = FrameReader(10)
        self.assertEqual(len(list(reader.receive(frame(Ping())))), 1)
        reader.limit = 100
        self.assertEqual(len(list(reader.receive(struct.pack(">I", 50) + b"x" * 50))), 1)

    def test_a_message_too_long_for_a_frame_is_not_sent(self) -> None:
        """The sender finds out, not the peer."""
        self.assertRaises(WireError, frame, File(1, "n" * (MAX_FRAME + 1), "t", 1, 0, b""))
