"""A client of the registrar, and what it tells its peers: without sockets and terminals."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.wire.errors import WireError
from iotcenter.wire.registrar.codec import decode, digest_of, encode
from iotcenter.wire.registrar.packets import (
    HEARTBEAT,
    MAX_PACKET,
    Ack,
    Data,
    Login,
    Logoff,
    Packet,
    Query,
    Register,
    Status,
)
from iotdevice.registrar.addresses import is_mac, own_ip
from iotdevice.registrar.answers import Answer, BadAnswer, Exchange, Outcome, printable
from iotdevice.registrar.arguments import with_menu
from iotdevice.registrar.client import Client
from iotdevice.registrar.peers import MOST_PACKETS, Peers
from iotdevice.registrar.trust import BadTrust, read_fingerprint, read_root
from iotdevice.registrar.ways import Asking, NoAnswer

TIME = "2026-11-22:14:02:09"
LOGIN = Login("cam-1", "secret", "10.0.0.1", 5000)
QUERY = Query("cam-2", "01", TIME, "cam-1")


class ExchangeTests(SynchronousTestCase):
    """What is taken for an answer."""

    def ack(self, exchange: Exchange, code: str) -> bytes:
        """The center's answer to what ``exchange`` sent."""
        return encode(Ack("cam-1", code, TIME, digest_of(exchange.sent)))

    def test_codes(self) -> None:
        """A code means what it means behind the packet that it answers."""
        register = Exchange(Register("cam-1", "secret", "00:00:00:00:00:01", "10.0.0.1", 5000))
        for code, outcome in (("00", Outcome.DONE), ("01", Outcome.DONE), ("12", Outcome.REFUSED), ("30", 3)):
            self.assertEqual(register.answer(self.ack(register, code)).outcome, outcome)
        self.assertIn("IP and port", register.answer(self.ack(register, "12")).meaning)
        for packet in (Logoff("cam-1"), Status("cam-1", "01", TIME, "heartbeat"), Data("cam-1", "01", TIME, "t=1")):
            exchange = Exchange(packet)
            self.assertEqual(exchange.answer(self.ack(exchange, "31")).outcome, Outcome.REFUSED)
        self.assertEqual(register.answer(self.ack(register, "99")).outcome, Outcome.FAILED)

    def test_query(self) -> None:
        """An address is one only where the device was found."""
        exchange = Exchange(QUERY)
        found = exchange.answer(encode(Data("cam-2", "01", TIME, "10.0.0.1\t5000")))
        self.assertEqual((found.address, found.outcome), (("10.0.0.1", 5000), Outcome.DONE))
        away = exchange.answer(encode(Data("cam-2", "12", TIME, "cam-1")))
        self.assertEqual((away.address, away.outcome), (None, Outcome.NOT_THERE))
        for message in ("10.0.0.1", "10.0.0.1\t", "\t5000", "10.0.0.1\tmany"):
            self.assertIsNone(exchange.answer(encode(Data("cam-2", "01", TIME, message))).address, message)

    def test_another_answer(self) -> None:
        """What answers another packet, or nothing, is no answer."""
        exchange = Exchange(LOGIN)
        others = (Ack("cam-1", "70", TIME, "0" * 64), Data("cam-1", "01", TIME, "x"), QUERY)
        for data in (*map(encode, others), b"", b"ACK\t70", b"\xff"):
            with self.assertRaises(BadAnswer):
                exchange.answer(data)

    def test_what_no_packet_can_carry(self) -> None:
        """It is refused before anything is sent."""
        for packet in (Login("a\tb", "p", "10.0.0.1", 1), Login("a", "p", "nowhere", 1), Login("a", "", "10.0.0.1", 1)):
            with self.assertRaises(WireError):
                Exchange(packet)


class PeersTests(SynchronousTestCase):
    """What peers are answered."""

    def setUp(self) -> None:
        """A device."""
        self.peers = Peers("cam-1", "10.0.0.1", 5000)

    def reply(self, packet: Packet) -> Packet | None:
        """The answer to a peer's packet."""
        heard = self.peers.received(encode(packet), 0.0)
        assert heard is not None
        return decode(heard.reply) if heard.reply is not None else None

    def test_query(self) -> None:
        """A peer that asks for this device is told where it is; one that asks for another, that this is not it."""
        reply = self.reply(QUERY)
        assert isinstance(reply, Data)
        self.assertEqual((reply.code, reply.device_id, reply.message), ("01", "cam-1", "10.0.0.1\t5000"))
        reply = self.reply(Query("cam-2", "01", TIME, "cam-3"))
        assert isinstance(reply, Data)
        self.assertEqual((reply.code, reply.message), ("11", "cam-3"))

    def test_data(self) -> None:
        """DATA is acknowledged with its hash, and an ACK never is: two devices do not answer one another for ever."""
        packet = Data("cam-2", "01", TIME, "hello")
        reply = self.reply(packet)
        assert isinstance(reply, Ack)
        self.assertEqual((reply.code, reply.device_id, reply.digest), ("50", "cam-1", digest_of(encode(packet))))
        self.assertIsNone(self.reply(reply))
        self.assertIsNone(self.reply(LOGIN))

    def test_what_is_shown(self) -> None:
        """What a peer says does nothing to the terminal."""
        heard = self.peers.received(encode(Data("cam-2", "01", TIME, "\x1b[2Jhi")), 0.0)
        assert heard is not None
        self.assertEqual(heard.line, "cam-2 says: \\x1b[2Jhi")
        self.assertEqual(printable("a\tb\n"), "a\\tb\\n")

    def test_flood(self) -> None:
        """In a second only so many packets are heard; in the next one others again."""
        heard = [self.peers.received(encode(QUERY), 7.5) for _ in range(2 * MOST_PACKETS)]
        self.assertEqual(sum(one is not None for one in heard), MOST_PACKETS)
        self.assertIsNotNone(self.peers.received(encode(QUERY), 8.0))

    @given(st.binary(max_size=1100) | st.builds(lambda rest: b"DATA\t01\tcam-2\t" + rest, st.binary(max_size=40)))
    def test_any_bytes(self, data: bytes) -> None:
        """Whatever comes is heard, or refused as no packet."""
        try:
            self.peers.received(data, 0.0)
        except WireError as error:
            self.assertTrue(str(error))


class Script:
    """A way to a center whose answers a test wrote down: a code for each packet, or an exception."""

    name = "paper"

    def __init__(self, *codes: str | NoAnswer) -> None:
        self.codes = list(codes)
        self.sent: list[Packet] = []

    async def ask(self, packet: bytes) -> bytes:
        """See ``Way``."""
        self.sent.append(decode(packet))
        code = self.codes.pop(0)
        reply: Deferred[bytes] = (
            fail(code) if isinstance(code, NoAnswer) else succeed(encode(Ack("cam-1", code, TIME, digest_of(packet))))
        )
        return await reply


class ClientTests(SynchronousTestCase):
    """The conversation with the center."""

    def client(self, *codes: str | NoAnswer) -> Client:
        """A client whose center answers so."""
        self.clock, self.way, self.told = Clock(), Script(*codes), list[str]()
        return Client(self.clock, lambda: 0.0, self.way, "cam-1", self.told.append)

    def done(self, flow: Coroutine[Any, Any, Answer | None]) -> Answer:
        """What comes of a flow at once."""
        answer = self.successResultOf(Deferred.fromCoroutine(flow))
        assert answer is not None
        return answer

    def test_heartbeat(self) -> None:
        """From LOGIN to LOGOFF there is a STATUS every 180 seconds, and nothing after that."""
        client = self.client("70", "40", "40", "80")
        self.clock.advance(2 * HEARTBEAT)
        self.assertEqual(self.way.sent, [])
        self.done(client.ask(LOGIN))
        self.clock.pump([HEARTBEAT, HEARTBEAT])
        self.assertEqual(self.done(client.leave()).code, "80")
        self.assertEqual([packet.TYPE for packet in self.way.sent], ["LOGIN", "STATUS", "STATUS", "LOGOFF"])
        self.assertEqual((self.clock.getDelayedCalls(), self.told), ([], []))

    def test_refused(self) -> None:
        """No heartbeat follows a LOGIN that was refused, and there is nothing to leave."""
        client = self.client("31")
        self.done(client.ask(LOGIN))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIsNone(self.successResultOf(Deferred.fromCoroutine(client.leave())))

    def test_logged_off_by_the_center(self) -> None:
        """A heartbeat that is refused is told, and is the last."""
        client = self.client("70", "31")
        self.done(client.ask(LOGIN))
        self.clock.advance(HEARTBEAT)
        self.assertIn("log in again", self.told[0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_answer(self) -> None:
        """A heartbeat without an answer is told, and the next one follows."""
        client = self.client("70", NoAnswer("nobody listens there"), "40")
        self.done(client.ask(LOGIN))
        self.clock.pump([HEARTBEAT, HEARTBEAT])
        self.assertEqual(self.told, ["heartbeat: nobody listens there"])
        self.assertEqual(len(self.way.sent), 3)


class TrustTests(SynchronousTestCase):
    """What the user gives to know the server by."""

    def test_fingerprints(self) -> None:
        """With colons or without, in either case."""
        pairs = ["04", "E1"] * 16
        for text in (":".join(pairs), "".join(pairs).lower()):
            self.assertEqual(read_fingerprint(text), bytes.fromhex("04e1" * 16))
        for text in ("", "04E1", "x" * 64):
            with self.assertRaises(BadTrust):
                read_fingerprint(text)

    def test_files(self) -> None:
        """A file that is missing, or holds something else, is named."""
        file = Path(self.mktemp())
        for prepare in (lambda: None, lambda: file.write_text("x"), lambda: os.truncate(file, 2**36)):
            prepare()
            with self.assertRaises(BadTrust) as caught:
                read_root(file)
            self.assertIn(str(file), str(caught.exception))


class AnswerTests(SynchronousTestCase):
    """What a server says over a connection."""

    def setUp(self) -> None:
        self.asking = Asking(b"QUERY", b"", lambda: 0.0)
        self.transport = StringTransport()
        self.asking.makeConnection(self.transport)

    def test_answer(self) -> None:
        """It is the first line, whatever comes behind it."""
        for data in (b"AC", b"K\nmore", b"x" * 100_000):
            self.asking.dataReceived(data)
        self.assertTrue(self.transport.disconnecting)
        self.asking.connectionLost()
        self.assertEqual(self.successResultOf(self.asking.answer), b"ACK")

    def test_endless(self) -> None:
        """One that does not end is cut off: it would take all memory."""
        self.asking.dataReceived(b"x" * (MAX_PACKET + 1))
        self.assertTrue(self.transport.disconnecting)
        self.asking.dataReceived(b"\n")
        self.asking.connectionLost()
        self.assertIn("does not end", str(self.failureResultOf(self.asking.answer, NoAnswer).value))


class WordsTests(SynchronousTestCase):
    """The command line."""

    def test_with_menu(self) -> None:
        """Without a command it is the menu; other commands of ``iotdevice`` stay as they are."""
        self.assertEqual(with_menu(["registrar", "cam-1", "host"]), ["registrar", "menu", "cam-1", "host"])
        self.assertEqual(with_menu(["registrar", "--plain", "udp"]), ["registrar", "menu", "--plain", "udp"])
        for words in (["registrar", "login", "cam-1"], ["registrar", "--help"], ["enroll", "x"], []):
            self.assertEqual(with_menu(words), words)

    def test_addresses(self) -> None:
        """This machine knows where it is; an address of zeros is no MAC."""
        self.assertEqual(own_ip("127.0.0.1"), "127.0.0.1")
        self.assertEqual((is_mac("00:00:00:00:00:00"), is_mac("00:11:22:33:44:55")), (False, True))
