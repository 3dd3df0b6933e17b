"""What a hostile sender cannot do: be answered, be remembered, or change anything."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import Reading
from iotcenter.wire.errors import WireError
from iotcenter.wire.messages import Close, Log, Report, Result, ResultState
from iotcenter.wire.udp import version1
from iotcenter.wire.udp.blocks import LARGEST, Assembler, split
from iotcenter.wire.udp.bodies import body_of, message_of, parse_configuration
from iotcenter.wire.udp.content import Content, Kind, parse_content
from iotcenter.wire.udp.endpoint import Refusal
from iotcenter.wire.udp.handshake import parse_hello, parse_open
from iotcenter.wire.udp.records import LAST_SEQUENCE, RecordType, Window
from tests.wire.udp import vectors as v
from tests.wire.udp.network import TestDevice, World

STRANGER = ("192.0.2.66", 4242)


def flipped(datagram: bytes) -> Iterable[bytes]:
    """``datagram`` with each of its bits turned over, one at a time."""
    for bit in range(len(datagram) * 8):
        changed = bytearray(datagram)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


class HostileTests(SynchronousTestCase):
    """A server with one device, and somebody who has recorded all that went over the network."""

    def setUp(self) -> None:
        self.world = World(7)
        self.device: TestDevice = self.world.add()
        self.device.report(1)
        self.world.run(5.0)
        self.device.report(2)
        self.world.run(5.0)
        self.server = self.world.server

    def state(self) -> tuple[object, ...]:
        """All that a datagram could have changed, and what was answered."""
        sessions = self.server.endpoint.sessions
        where = [(cid, session.address, session.heard) for cid, session in sessions.items()]
        return where, dict(self.server.stored), len(self.server.replies), len(self.server.messages)

    def assert_dropped(self, datagrams: Iterable[bytes]) -> None:
        """None of them changes anything, and none is answered; each is counted."""
        before = self.state()
        for datagram in datagrams:
            counted = self.server.endpoint.refused.total()
            self.assertIsNone(self.server.receive(datagram, STRANGER), datagram.hex())
            self.assertEqual(self.server.endpoint.refused.total(), counted + 1)
        self.world.run(1.0)
        self.assertEqual(self.state(), before)

    def datagram(self, kind: RecordType) -> bytes:
        """The last datagram of that type that the device sent."""
        return next(data for data, _ in reversed(self.device.captured) if data[0] == kind)

    def test_replays(self) -> None:
        """What came before is dropped, 100,000 times, from wherever, also by a server that has started anew."""
        captured = [data for data, _ in self.device.captured if data[0] != RecordType.HELLO]
        self.assertEqual({data[0] for data in captured}, {RecordType.OPEN, RecordType.UP})
        self.assert_dropped(captured * (100_000 // len(captured)))
        self.world.run(300.0)
        self.assert_dropped(captured)
        self.server.start()
        self.assert_dropped(captured)

    def test_replayed_hello(self) -> None:
        """A HELLO that comes again is answered with fewer bytes than it has, and leads to nothing."""
        hello = self.datagram(RecordType.HELLO)
        sessions = dict(self.server.endpoint.sessions)
        answers = len(self.server.replies)
        for _ in range(100):
            self.server.receive(hello, STRANGER)
        new = self.server.replies[answers:]
        self.assertEqual(len(new), 100)
        self.assertTrue(all(len(answer) < len(hello) and where == STRANGER for answer, where in new))
        self.assertEqual(self.server.endpoint.sessions, sessions)

    def test_each_bit(self) -> None:
        """A record, an OPEN or a HELLO with one bit turned over is dropped."""
        self.device.session.put(Kind.PING, b"", "ping")
        (record,) = self.device.session.datagrams(self.world.now)
        self.assert_dropped(flipped(record))
        hello = self.datagram(RecordType.HELLO)
        self.assert_dropped(flipped(hello))
        newcomer = self.world.add()
        self.world.run(0.05)
        newcomer.session.put(Kind.PING, b"", "ping")
        (opening,) = newcomer.session.datagrams(self.world.now)
        self.assertEqual(opening[0], RecordType.OPEN)
        self.assert_dropped(flipped(opening))
        self.assertIsNone(self.server.receive(opening, STRANGER), "an OPEN counts from where its HELLO came")
        self.assertIsNotNone(self.server.receive(record, self.device.address))
        self.assertIsNotNone(self.server.receive(opening, newcomer.address))

    def test_truncated(self) -> None:
        """Any beginning of a datagram is dropped."""
        for kind in (RecordType.HELLO, RecordType.OPEN, RecordType.UP):
            datagram = self.datagram(kind)
            self.assert_dropped(datagram[:length] for length in range(len(datagram)))

    def test_reflected(self) -> None:
        """What the server itself sent is dropped."""
        self.assert_dropped([datagram for datagram, _ in self.server.replies])

    def test_unknown_device(self) -> None:
        """A device that the server does not know is not answered."""
        stranger = self.world.add()
        del self.world.keys[stranger.id]
        answers = len(self.server.replies)
        self.world.run(200.0)
        self.assertEqual(len(self.server.replies), answers)
        self.assertGreater(self.server.endpoint.refused[Refusal.UNKNOWN_DEVICE], 4)

    def test_welcome_of_another_time(self) -> None:
        """A WELCOME is good for a minute, and an older OPEN does not displace a newer session."""
        late = self.world.add()
        self.world.run(0.05)
        late.session.put(Kind.PING, b"", "ping")
        (opening,) = late.session.datagrams(self.world.now)
        self.world.run(61.0)
        self.assert_dropped([opening])

    def test_revoked(self) -> None:
        """What is left of a device that may not come in any more is dropped."""
        del self.world.keys[self.device.id]
        self.server.endpoint.forget(self.device.id, self.world.now)
        self.device.session.put(Kind.PING, b"", "ping")
        (record,) = self.device.session.datagrams(self.world.now)
        self.assert_dropped([record, self.datagram(RecordType.HELLO)])

    def test_forged_reset(self) -> None:
        """Who forges a RESET makes a device say HELLO once in ten seconds; its session stays."""
        reset = bytes([RecordType.RESET]) + next(iter(self.server.endpoint.sessions)) + bytes(4)
        for _ in range(50):
            self.device.session.receive(reset, self.world.now)
        (hello,) = self.device.session.datagrams(self.world.now)
        self.assertEqual(hello[0], RecordType.HELLO)
        self.assertTrue(self.device.session.connected)

    @settings(max_examples=300)
    @given(st.binary(max_size=1300))
    @example(b"")
    @example(bytes([RecordType.OPEN]) + bytes(96))
    def test_anything(self, datagram: bytes) -> None:
        """Whatever bytes come, at either end, nothing is raised and nothing answered."""
        world = World(1)
        device = world.add()
        for first in (b"", *(bytes([kind]) for kind in RecordType)):
            self.assertIsNone(world.server.receive(first + datagram, STRANGER))
            self.assertEqual(device.session.receive(first + datagram, 0.0), [])
        self.assertEqual(world.server.replies, [])


class ParserTests(SynchronousTestCase):
    """Everything that parses bytes raises ``WireError`` or nothing."""

    @settings(max_examples=500)
    @given(st.sampled_from(list(Kind)), st.binary(max_size=300))
    @example(Kind.REPORT, b'{"a":' + b"[" * 5000)
    @example(Kind.REPORT, b'{"t":1e999}')
    @example(Kind.REPORT, b'{"t":1,"_a":-1}')
    @example(Kind.REPORT, b'{"t":1,"_a":1e308}')
    @example(Kind.RESULT, b'{"id":-1}')
    @example(Kind.LOG, b'{"text":5}')
    @example(Kind.COMMAND, b"\x93" + b"\x91" * 5000)
    def test_bodies(self, kind: Kind, body: bytes) -> None:
        """Bodies of every kind."""
        calls: tuple[Callable[[], object], ...] = (
            lambda: message_of(kind, body, lambda count: (1, 1)),
            lambda: parse_configuration(body),
            lambda: Assembler().add(body),
            lambda: parse_content(body),
            lambda: version1.parse_payload(body),
        )
        for call in calls:
            with contextlib.suppress(WireError):
                call()

    @given(st.binary(max_size=200))
    def test_outsides(self, datagram: bytes) -> None:
        """Datagrams of every type."""
        parse_hello(datagram)
        parse_open(datagram)
        version1.device_of(datagram)
        version1.device_of(version1.MARK + datagram)

    @given(st.integers(0, 15), st.integers(0, 0xFFFF), st.binary(), st.booleans(), st.none() | st.integers(0, 0xFFFF))
    def test_content(self, kind: int, message_id: int, body: bytes, flag: bool, acked: int | None) -> None:
        """What is put together is taken apart to the same."""
        content = Content(kind, message_id, body, flag, acked, not flag)
        self.assertEqual(parse_content(content.text()), content)

    @given(st.binary(min_size=1, max_size=3000), st.integers(20, 1100))
    def test_blocks(self, whole: bytes, size: int) -> None:
        """What is cut into blocks is put together to the same, though a block comes twice."""
        assembler = Assembler()
        found = []
        for block in split(whole, 5, size):
            self.assertLessEqual(len(block), size)
            found += [assembler.add(block)]
        self.assertEqual(found[-1], whole)
        self.assertEqual(found[:-1], [None] * (len(found) - 1))

    def test_too_many_blocks(self) -> None:
        """A message without an end is refused, and not kept."""
        assembler = Assembler()
        with self.assertRaises(WireError):
            for block in split(bytes(LARGEST + 1), 1, 1000):
                assembler.add(block)
        with self.assertRaises(WireError):
            assembler.add(b"\0\2\0\5data")

    @given(st.lists(st.integers(1, 200), max_size=60))
    def test_window(self, numbers: list[int]) -> None:
        """Each number is fresh once, and those behind the window never."""
        window, seen = Window(32), set[int]()
        for number in numbers:
            fresh = number not in seen and number > window.highest - 32
            self.assertEqual(window.fresh(number), fresh)
            if fresh:
                window.mark(number)
                seen.add(number)
        self.assertFalse(window.fresh(LAST_SEQUENCE + 1))
        self.assertFalse(window.fresh(0))


class BodyTests(SynchronousTestCase):
    """What bodies mean."""

    def message(self, kind: Kind, body: bytes) -> object:
        """The message in a body."""
        return message_of(kind, body, lambda count: (9, 100))

    def test_json(self) -> None:
        """A sketch may write JSON."""
        numbered = self.message(Kind.REPORT, b'{"t":21.5,"door":true,"_b":2,"_s":7,"_a":5}')
        assert isinstance(numbered, Report)
        self.assertEqual((numbered.boot, numbered.sequence), (2, 7))
        self.assertEqual(numbered.readings, (Reading("t", 21.5, -5.0), Reading("door", True, -5.0)))
        bare = self.message(Kind.REPORT, b'{"t":1}')
        assert isinstance(bare, Report)
        self.assertEqual((bare.boot, bare.sequence), (9, 100))
        self.assertEqual(self.message(Kind.RESULT, b'{"id":3,"error":"no"}'), Result(3, ResultState.FAILED, None, "no"))
        line = self.message(Kind.LOG, b'{"text":"hello"}')
        assert isinstance(line, Log)
        self.assertEqual(line.lines[0].text, "hello")

    def test_age_of_a_report(self) -> None:
        """A report that waited says so, and its readings are that much older."""
        report = self.message(Kind.REPORT, b"\x94\x01\x01\x92\x92\xa1t\x01\x93\xa1u\x02\xfe\xd1\xf1\xf0")
        assert isinstance(report, Report)
        self.assertEqual([reading.time for reading in report.readings], [-3600.0, -3602.0])
        self.assertEqual(report.time, 0.0)

    def test_same_message_as_over_tls(self) -> None:
        """A body is the message's fields without its type."""
        result = Result(5, ResultState.DONE, {"a": 1})
        kind, body = body_of(result)
        self.assertEqual((kind, body[:2]), (Kind.RESULT, b"\x94\x05"))
        self.assertEqual(self.message(kind, body), result)
        self.assertIsInstance(self.message(Kind.CLOSE, b""), Close)

    def test_version_1(self) -> None:
        """Packets with any bit turned over, cut, reflected, or of another type or version, are not a device's."""
        for datagram in (v.V1_FIRST, v.V1_SECOND):
            for changed in flipped(datagram):
                self.assertFalse(version1.device_of(changed) == v.V1_DEVICE and version1.is_authentic(changed, v.PSK))
            for length in range(len(datagram)):
                cut = datagram[:length]
                self.assertFalse(version1.device_of(cut) == v.V1_DEVICE and version1.is_authentic(cut, v.PSK))
        packet = version1.open_packet(v.V1_FIRST, v.PSK)
        answer = packet._replace(type=version1.PacketType.FROM_SERVER).datagram(v.PSK)
        self.assertIsNone(version1.device_of(answer))
