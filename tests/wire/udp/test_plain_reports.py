"""The short way of the commonest datagram against the long way of all others."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.wire.codec import DamagedReport, decode
from iotcenter.wire.messages import Ack, Busy, Command, Refusal, Report
from iotcenter.wire.udp.content import Content, Kind
from iotcenter.wire.udp.events import Event, Malformed, Received
from iotcenter.wire.udp.handshake import Flag, Hello
from iotcenter.wire.udp.keepalive import Keepalive
from iotcenter.wire.udp.keys import RecordKeys
from iotcenter.wire.udp.records import RecordType, Sealer
from iotcenter.wire.udp.server import ServerSession

KEYS = RecordKeys(bytes(range(48)), bytes(range(48, 96)))
CID = b"\xa1\xb2\xc3\xd4"
HOME = ("192.0.2.1", 4000)
ELSEWHERE = ("192.0.2.2", 4001)

READINGS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["t", "h"]), st.floats(-10, 50)),
        st.tuples(
            st.sampled_from(["t", "", 7]), st.sampled_from([1, True, "on", None, float("nan")]), st.floats(-9, 0)
        ),
    ),
    max_size=3,
)
REPORTS = st.tuples(st.integers(0, 2), st.integers(0, 5), READINGS, st.sampled_from([0, 0.0, -2.5, 1.8e9])).map(
    msgspec.msgpack.encode
)
BODIES = st.one_of(REPORTS, st.sampled_from([b'{"t": 21.5}', b'{"t": 1, "_b": 1, "_s": 3}', b"", b"\x93"]), st.binary())
CONTENTS = st.builds(
    Content,
    kind=st.sampled_from([Kind.REPORT] * 5 + [Kind.PING, Kind.POLL, Kind.LOG, Kind.BLOCK, Kind.COMMAND]),
    message_id=st.integers(0, 3),
    body=BODIES,
    confirmable=st.sampled_from([True, True, True, False]),
    acked=st.sampled_from([None, None, None, 9]),
    more=st.booleans(),
)
PLAIN = st.tuples(st.integers(0, 9), REPORTS).map(lambda drawn: Content(Kind.REPORT, *drawn, confirmable=True))
PLACES = st.sampled_from([HOME, HOME, HOME, ELSEWHERE])
ANSWERS = st.sampled_from(["ack", "ack", "refused", "busy", "wait"])
STEPS = st.lists(st.tuples(st.one_of(PLAIN, CONTENTS), PLACES, ANSWERS), min_size=1, max_size=12)


class LongWay(ServerSession):
    """A session to which no report is plain."""

    def plain_report(self, text: bytes, size: int, now: float) -> None:
        """There is no short way."""

    def plain_ack(self, ack: Ack) -> None:
        """Nor is there back."""


class Pair:
    """The same session twice, of which one knows the short way."""

    def __init__(self, flags: int, commanded: bool = True) -> None:
        hello = Hello(flags, 192, bytes(16), bytes(16))
        self.sealer = Sealer(KEYS.up, RecordType.UP, CID)
        self.sessions = [
            kind(b"", hello, CID, KEYS, Keepalive(), lambda: 1.8e9, lambda: 0.25) for kind in (ServerSession, LongWay)
        ]
        for session in self.sessions:
            session.address = HOME
            if commanded:
                session.send(Command(1, "relay"), 0.0)
        self.plain = self.plain_acks = 0
        self._said: list[list[bytes]] = [[], []]

    def receive(self, record: bytes, address: tuple[str, int], now: float) -> list[list[Event]]:
        """What came of a record, in either."""
        return [self._receive(session, record, address, now) for session in self.sessions]

    def _receive(self, session: ServerSession, record: bytes, address: tuple[str, int], now: float) -> list[Event]:
        text = session.open(record, address, now)
        assert text is not None
        plain = session.plain_report(text, len(record), now)
        if plain is None:
            return session.take(text, len(record), now)
        self.plain += 1
        report, packed = plain
        assert decode(packed) == report
        return [Received(report)]

    def answer(self, message: Any, now: float) -> None:
        """The center says something, to both."""
        for session, said in zip(self.sessions, self._said, strict=True):
            datagram = session.plain_ack(message) if isinstance(message, Ack) else None
            if datagram is None:
                session.send(message, now)
            else:
                self.plain_acks += 1
                said.append(datagram)

    def datagrams(self, now: float) -> list[list[bytes]]:
        """What either sends."""
        sent = [said + session.datagrams(now) for session, said in zip(self.sessions, self._said, strict=True)]
        self._said = [[], []]
        return sent


class PlainReportTests(SynchronousTestCase):
    """A plain report takes a way of its own, on which nothing else happens than on the long one."""

    @given(STEPS, st.sampled_from([0, Flag.SLEEPY]), st.booleans())
    def test_same(self, steps: list[Any], flags: int, commanded: bool) -> None:
        """Whatever a device sends, and whatever the center answers: both ways hand on the same, and send the same."""
        pair = Pair(flags, commanded)
        for step, (content, address, answer) in enumerate(steps):
            now = step * 7.0
            short, long = pair.receive(pair.sealer.seal(content.text()), address, now)
            self.assertEqual(short, long)
            for event in short:
                if isinstance(event, Received) and isinstance(event.message, Report | DamagedReport):
                    self.decide(pair, event.message, answer, now)
            self.assertEqual(*pair.datagrams(now))

    def decide(self, pair: Pair, report: Report | DamagedReport, answer: str, now: float) -> None:
        """The center has stored a report, or could not, or has not yet."""
        if answer == "ack":
            pair.answer(Ack(report.boot, report.sequence, 1), now)
        elif answer == "refused":
            pair.answer(Ack(report.boot, report.sequence, 1, (Refusal(report.sequence, "no"),)), now)
        elif answer == "busy":
            pair.answer(Busy(report.boot, report.sequence, 5.0), now)

    def test_short(self) -> None:
        """A record that holds less than a message begins with is malformed, whatever its first byte says."""
        pair = Pair(0)
        for text in (b"", b"A", b"A\0", b"A\0\1", b"\xc1", b"\xc1\0\1\0"):
            short, long = pair.receive(pair.sealer.seal(text), HOME, 0.0)
            self.assertEqual(short, long)
            self.assertEqual([type(event) for event in short], [Malformed])

    def test_taken(self) -> None:
        """It is the confirmable report in MessagePack that goes the short way, once for each message."""
        pair = Pair(0)
        body = msgspec.msgpack.encode([1, 1, [["t", 21.5]]])
        for message_id in (7, 8, 8):
            pair.receive(pair.sealer.seal(Content(Kind.REPORT, message_id, body, confirmable=True).text()), HOME, 0.0)
        self.assertEqual(pair.plain, 2)

    def test_acknowledged(self) -> None:
        """The acknowledgement goes the short way back where it is all that is to be said, and says the same."""
        pair = Pair(0, commanded=False)
        for number in (1, 2, 3):
            body = msgspec.msgpack.encode([1, number, [["t", 21.5]]])
            text = Content(Kind.REPORT, number, body, confirmable=True).text()
            pair.receive(pair.sealer.seal(text), HOME if number < 3 else ELSEWHERE, 0.0)
            pair.answer(Ack(1, number, 1), 0.0)
            self.assertEqual(*pair.datagrams(0.0))
        self.assertEqual(pair.plain_acks, 2)  # the third one also asks whether the device is where it says
