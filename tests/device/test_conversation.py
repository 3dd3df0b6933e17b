"""What a device and its server say to each other."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from iotcenter.model import Message
from iotcenter.wire.errors import WireError
from iotcenter.wire.messages import (
    Ack,
    Close,
    CloseCode,
    Command,
    Enrolled,
    Hello,
    Ping,
    Pong,
    Renew,
    Report,
    Welcome,
)
from iotdevice.channel import Channel
from iotdevice.conversation import WELCOME_WITHIN, Conversation, Ended, Handlers, Phase
from tests.device.support import Case, FakeChannel

WELCOME = Welcome("kitchen-pi", "00" * 16, 0.0, 10.0)


class FakeSpeaker:
    """A part of the agent that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def connected(self, channel: Channel) -> None:
        """Note it."""
        self.told.append("connected")

    def writable(self) -> None:
        """Note it."""
        self.told.append("writable")

    def disconnected(self) -> None:
        """Note it."""
        self.told.append("disconnected")


class ConversationTests(Case):
    """What a device and its server say to each other."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.channel = FakeChannel()
        self.speaker = FakeSpeaker()
        self.taken: list[Any] = []
        handlers: Handlers = dict.fromkeys((Welcome, Ack, Command, Renew), self.taken.append)
        self.talk = Conversation(self.channel, [self.speaker], handlers, self.clock.seconds)

    def open(self, heartbeat: float = 10.0) -> None:
        """Get as far as the server's welcome."""
        self.talk.begin(Hello())
        self.talk.receive(Welcome("kitchen-pi", "00" * 16, 0.0, heartbeat))
        self.channel.take()

    def assertEnds(self, message: Message, text: str, code: CloseCode | None) -> None:
        """The conversation is over with ``message``."""
        with self.assertRaises(Ended) as ended:
            self.talk.receive(message)
        self.assertEqual((str(ended.exception), ended.exception.code), (text, code))

    def test_welcome(self) -> None:
        """A device is connected when the server has welcomed it, and not before."""
        self.talk.begin(Hello())
        self.assertEqual(self.channel.take(), [Hello()])
        self.assertEqual(self.speaker.told, [])
        self.talk.receive(WELCOME)
        self.assertEqual(self.speaker.told, ["connected"])
        self.talk.receive(WELCOME)
        self.assertEqual((self.taken, self.speaker.told), ([WELCOME], ["connected"]))

    def test_no_welcome(self) -> None:
        """A server that does not answer is given up."""
        self.talk.begin(Hello())
        self.assertEqual(self.talk.check(), WELCOME_WITHIN)
        self.clock.advance(WELCOME_WITHIN)
        self.assertRaises(Ended, self.talk.check)

    def test_handlers(self) -> None:
        """What the server says goes to the part that it concerns."""
        self.open()
        for message in (Ack(1, 1, 1), Command(1, "relay")):
            self.talk.receive(message)
        self.assertEqual(self.taken[1:], [Ack(1, 1, 1), Command(1, "relay")])

    def test_out_of_turn(self) -> None:
        """What a server has no business to say, then or ever, breaks the protocol."""
        early: list[Message] = [Ack(1, 1, 1), Command(1, "relay"), Ping(), Renew()]
        late: list[Message] = [Hello(), Report(1, 1, ()), Enrolled("x", "y", b"", b"")]
        self.talk.begin(Hello())
        for message in early:
            self.assertRaises(WireError, self.talk.receive, message)
        self.open()
        for message in late:
            self.assertRaises(WireError, self.talk.receive, message)

    def test_ping(self) -> None:
        """A server that asks gets its answer."""
        self.open()
        self.talk.receive(Ping())
        self.assertEqual(self.channel.sent, [Pong()])

    def test_silence(self) -> None:
        """A silent server is asked, and given up after 2.5 of the intervals that it set: within 30 s by default."""
        self.open()
        self.clock.advance(10)
        self.assertEqual(self.talk.check(), 15)
        self.assertEqual(self.channel.sent, [Ping()])
        self.clock.advance(14)
        self.talk.receive(Pong())
        self.assertEqual(self.talk.check(), 10)
        self.clock.advance(25)
        self.assertRaises(Ended, self.talk.check)

    def test_metered(self) -> None:
        """A long heartbeat is kept to; a server cannot set one so short that the link carries nothing else."""
        self.open(300.0)
        self.assertEqual(self.talk.check(), 300.0)

    def test_storm(self) -> None:
        """A server cannot set a heartbeat so short that the link carries nothing else."""
        self.open(1e-9)
        self.assertGreater(self.talk.check(), 0.01)

    def test_close(self) -> None:
        """When the server hangs up, its words go to the log, and its code to the program."""
        self.open()
        self.assertEnds(Close(CloseCode.REVOKED, "you were revoked"), "you were revoked", CloseCode.REVOKED)

    def test_close_before_welcome(self) -> None:
        """A server may refuse a device at once."""
        self.talk.begin(Hello())
        self.assertEnds(Close(CloseCode.REFUSED), "the server closed the link (refused)", CloseCode.REFUSED)

    def test_renewal_alone(self) -> None:
        """With an expired certificate a device asks for a new one, gets it, and hangs up."""
        self.talk.begin(Renew(request=b"csr"))
        self.assertEqual(self.channel.take(), [Renew(request=b"csr")])
        self.assertRaises(WireError, self.talk.receive, WELCOME)
        self.assertEnds(Renew(certificate=b"new"), "the expired certificate is renewed", None)
        self.assertEqual(self.taken, [Renew(certificate=b"new")])
        self.assertEqual(self.speaker.told, [])

    def test_end(self) -> None:
        """When the link is gone, the parts of the agent are told once."""
        self.open()
        self.talk.writable()
        self.talk.end()
        self.talk.end()
        self.talk.writable()
        self.assertEqual(self.speaker.told, ["connected", "writable", "disconnected"])
        self.assertIs(self.talk.phase, Phase.ENDED)
