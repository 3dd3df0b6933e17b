"""The registrar protocol's text: what is a packet, and what a message in one means."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import Reading
from iotcenter.wire.errors import WireError
from iotcenter.wire.registrar.codec import canonical_mac, decode, digest_of, encode, written_time
from iotcenter.wire.registrar.packets import (
    MAX_PACKET,
    Ack,
    Data,
    Deregister,
    Login,
    Logoff,
    Packet,
    Query,
    Register,
    Status,
)
from iotcenter.wire.registrar.stream import BROKEN_AFTER, WHOLE_AFTER, PacketReader
from iotcenter.wire.registrar.values import readings_of

TIME = "2026-11-22:14:02:09"

PACKETS: dict[bytes, Packet] = {
    b"REGISTER\tcam-1\tse cret\t00:11:22:aa:bb:cc\t10.0.0.7\t5000": Register(
        "cam-1", "se cret", "00:11:22:aa:bb:cc", "10.0.0.7", 5000
    ),
    b"DEREGISTER\tcam-1\tp\t001122aabbcc\t::1\t1": Deregister("cam-1", "p", "001122aabbcc", "::1", 1),
    b"LOGIN\tcam-1\tp\t10.0.0.7\t65535": Login("cam-1", "p", "10.0.0.7", 65535),
    b"LOGOFF\tcam-1": Logoff("cam-1"),
    b"STATUS\t01\tcam-1\t2026-11-22:14:02:09\t9\theartbeat": Status("cam-1", "01", TIME, "heartbeat"),
    b"DATA\t01\tcam-1\t2026-11-22:14:02:09\t6\tt=21.5": Data("cam-1", "01", TIME, "t=21.5"),
    b"DATA\t01\tcam-1\t2026-11-22:14:02:09\t13\t10.0.0.7\t5000": Data("cam-1", "01", TIME, "10.0.0.7\t5000"),
    b"QUERY\t01\tcam-1\t2026-11-22:14:02:09\tcam-2": Query("cam-1", "01", TIME, "cam-2"),
    b"ACK\t50\tcam-1\t2026-11-22:14:02:09\t" + b"ab" * 32: Ack("cam-1", "50", TIME, "ab" * 32),
}

NO_PACKETS = (
    b"",
    b"\n",
    b"HELLO\tcam-1",
    b"login\tcam-1\tp\t10.0.0.7\t1",
    b"LOGOFF",
    b"LOGOFF\t",
    b"LOGOFF\tcam-1\tcam-2",
    b"LOGOFF\t" + b"x" * 65,
    b"LOGOFF\tcam\x00-1",
    b"LOGOFF\t\xff",
    b"LOGIN\tcam-1\t\t10.0.0.7\t1",
    b"LOGIN\tcam-1\tp\thost\t1",
    b"LOGIN\tcam-1\tp\t10.0.0.7\t0",
    b"LOGIN\tcam-1\tp\t10.0.0.7\t65536",
    b"LOGIN\tcam-1\tp\t10.0.0.7\t1e3",
    b"LOGIN\tcam\t1\tp\t10.0.0.7\t1",
    b"REGISTER\tcam-1\tp\t00:11:22:aa:bb\t10.0.0.7\t1",
    b"REGISTER\tcam-1\tp\t00:11-22:aa:bb:cc\t10.0.0.7\t1",
    b"STATUS\t02\tcam-1\t2026-11-22:14:02:09\t9\theartbeat",
    b"STATUS\t01\tcam-1\t2026-13-22:14:02:09\t9\theartbeat",
    b"DATA\t01\tcam-1\t2026-11-22:14:02:09\t5\tt=21.5",
    b"DATA\t01\tcam-1\t2026-11-22:14:02:09\t-1\tt=21.5",
    b"QUERY\t02\tcam-1\t2026-11-22:14:02:09\tcam-2",
    b"ACK\t50\tcam-1\t2026-11-22:14:02:09\tabcd",
    b"LOGOFF\tcam-1" + b" " * MAX_PACKET,
)


class CodecTests(SynchronousTestCase):
    """Bytes to packets, and back."""

    def test_each_type(self) -> None:
        """Each type of packet is read from its bytes, and makes the same bytes."""
        for data, packet in PACKETS.items():
            self.assertEqual(decode(data), packet)
            self.assertEqual(encode(packet), data)

    def test_newline(self) -> None:
        """A newline at the end belongs to no packet, and does not change its hash."""
        for data, packet in PACKETS.items():
            for end in (b"\n", b"\r\n"):
                self.assertEqual(decode(data + end), packet)
                self.assertEqual(digest_of(data + end), digest_of(data))

    def test_what_is_no_packet(self) -> None:
        """It is refused in words that repeat nothing of it."""
        for data in NO_PACKETS:
            with self.assertRaises(WireError, msg=repr(data)) as caught:
                decode(data)
            self.assertNotIn("cam", str(caught.exception))

    @given(st.binary(max_size=1100))
    def test_any_bytes(self, data: bytes) -> None:
        """Nothing but ``WireError`` comes out, whatever comes in."""
        self._try(data)

    @given(
        st.sampled_from(sorted(PACKETS)),
        st.lists(st.tuples(st.integers(0, 60), st.binary(max_size=3)), min_size=1, max_size=4),
    )
    def test_damaged_packets(self, data: bytes, damages: list[tuple[int, bytes]]) -> None:
        """Likewise for what nearly is one; and what still is one makes bytes that are the same packet."""
        for place, damage in damages:
            data = data[:place] + damage + data[place + 1 :]
        self._try(data)

    def _try(self, data: bytes) -> None:
        try:
            packet = decode(data)
        except WireError:
            return
        self.assertEqual(decode(encode(packet)), packet)

    def test_the_length_in_characters_or_bytes(self) -> None:
        """Clients count either."""
        for length in (2, 4):
            packet = decode(f"DATA\t01\tcam\t{TIME}\t{length}\täö".encode())
            self.assertEqual(packet, Data("cam", "01", TIME, "äö"))

    def test_what_no_packet_can_carry(self) -> None:
        """A field cannot hold what separates fields, and a packet has its longest."""
        for packet in (Logoff("a\tb"), Login("a", "p\nq", "::1", 1), Data("a", "01", TIME, "x" * 1024)):
            if not isinstance(packet, Logoff):
                self.assertRaises(WireError, encode, packet)

    def test_mac(self) -> None:
        """A MAC address is the same however it is written."""
        self.assertEqual({canonical_mac(mac) for mac in ("00:1A:2b:33:44:55", "00-1a-2B-33-44-55")}, {"001a2b334455"})

    def test_time(self) -> None:
        """The time that is written can be read."""
        self.assertRegex(written_time(1795305600), r"^2026-11-2\d:\d\d:\d\d:\d\d$")


class StreamTests(SynchronousTestCase):
    """Where a packet ends on a stream."""

    def test_silence(self) -> None:
        """Where no newline comes, silence ends a packet: a short one what reads as a packet, a longer one what does
        not."""
        reader = PacketReader()
        self.assertIsNone(reader.patience)
        self.assertEqual(reader.receive(b"LOGOFF"), [])
        self.assertEqual(reader.patience, BROKEN_AFTER)
        self.assertEqual(reader.receive(b"\tcam"), [])
        self.assertEqual(reader.patience, WHOLE_AFTER)
        self.assertEqual(reader.receive(b"-1"), [])
        self.assertEqual(reader.silence(), b"LOGOFF\tcam-1")
        self.assertIsNone(reader.patience)

    def test_a_first_line_in_pieces(self) -> None:
        """A newline ends the first packet too, in however many pieces it came."""
        reader = PacketReader()
        self.assertEqual(reader.receive(b"LOGOFF\tca"), [])
        self.assertEqual(reader.receive(b"m\nLOGOFF"), [b"LOGOFF\tcam"])
        self.assertIsNone(reader.patience)

    def test_too_long(self) -> None:
        """What is too long for a packet is refused, whatever would have ended it."""
        with self.assertRaises(WireError):
            PacketReader().receive(b"x" * (MAX_PACKET + 1))

    @given(st.lists(st.sampled_from(sorted(PACKETS)), min_size=1, max_size=4), st.lists(st.integers(1, 400)))
    def test_lines_in_any_chunks(self, packets: list[bytes], cuts: list[int]) -> None:
        """Once one came, packets end with newlines, however the stream is chunked."""
        reader = PacketReader()
        received = reader.receive(b"LOGOFF\tfirst\n")
        stream = b"".join(packet + b"\n" for packet in packets)
        places = [0, *sorted({cut % (len(stream) + 1) for cut in cuts}), len(stream)]
        for start, end in itertools.pairwise(places):
            received += reader.receive(stream[start:end])
        self.assertEqual(received, [b"LOGOFF\tfirst", *packets])

    def test_a_line_without_an_end(self) -> None:
        """It is refused as soon as it is too long for a packet."""
        reader = PacketReader()
        reader.receive(b"\n")
        with self.assertRaises(WireError):
            for _ in range(MAX_PACKET + 1):
                reader.receive(b"x")


class ValueTests(SynchronousTestCase):
    """What a DATA message means."""

    def test_json(self) -> None:
        """JSON with ``values`` holds readings."""
        self.assertEqual(
            readings_of('{"values": {"t1": 21.5, "t2": -3, "on": true}}'),
            (Reading("t1", 21.5), Reading("t2", -3.0), Reading("on", True)),
        )

    def test_pairs(self) -> None:
        """So do pairs between blanks or commas."""
        expected = (Reading("t1", 21.5), Reading("t2", -3.0), Reading("p/x", 0.001))
        for message in ("t1=21.5 t2=-3 p/x=1e-3", "t1=21.5,t2=-3,p/x=1e-3", " t1=21.5,  t2=-3 ,\tp/x=1e-3 "):
            self.assertEqual(readings_of(message), expected, message)

    def test_text(self) -> None:
        """Anything else is text, though a part of it looks like readings."""
        for message in (
            "",
            "the door is open",
            "t1=21.5 and rising",
            "t1=",
            "=3",
            "t=nan",
            "t=inf",
            "t=1e999",
            "x y=3",
            '{"values": {"t": 1e999}}',
            '{"values": {"t": "warm"}}',
            '{"values": {"no name": 1}}',
            '{"values": {}}',
            '{"values": []}',
            "{" * 900,
            "[" * 900,
        ):
            self.assertEqual(readings_of(message), (), message)

    @given(st.text(max_size=200))
    def test_any_text(self, message: str) -> None:
        """Whatever comes in, readings come out, or none."""
        self.assertIsInstance(readings_of(message), tuple)
