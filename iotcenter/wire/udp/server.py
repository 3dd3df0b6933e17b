"""A session at the server's end: records in, messages out, and back."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from iotcenter.model import Message
from iotcenter.wire.errors import WireError
from iotcenter.wire.messages import Ack, Busy, Close, Command, Renew, Report, Result, Tunnel
from iotcenter.wire.udp.blocks import Assembler
from iotcenter.wire.udp.bodies import Configuration, body_of, message_of, plain_report
from iotcenter.wire.udp.content import CONFIRMABLE, HEAD, TIME, Content, Kind, acknowledgement, parse_content
from iotcenter.wire.udp.delivery import Inbox, Parcel, Sender
from iotcenter.wire.udp.events import Address, Cold, Delivered, Event, Listening, Malformed, Received, Undelivered
from iotcenter.wire.udp.handshake import Flag, Hello
from iotcenter.wire.udp.keepalive import Keepalive
from iotcenter.wire.udp.keys import RecordKeys
from iotcenter.wire.udp.numbers import Numbers
from iotcenter.wire.udp.pushes import commands_of, parcels_of
from iotcenter.wire.udp.records import LAST_SEQUENCE, SERVER_WINDOW, Opener, RecordType, Sealer, room_for_text
from iotcenter.wire.udp.unstored import Unstored

LISTENS = 1.0
"""Seconds that a sleepy device listens after it was told that more is waiting."""

PATIENCE = 2.5
"""How many keepalive intervals of silence mean that nobody can say whether the device is there."""

LIFETIME = 25 * 3600.0
"""Seconds after which a session ends: the device makes a new one every 24 hours, and has an hour for it."""

SMALLEST_RX = 48
"""Bytes that any device takes: an acknowledgement has 41."""

_PLAIN_REPORT = bytes([CONFIRMABLE | Kind.REPORT])


class ServerSession:
    """What a handshake led to. It is found by its ``cid``; ``address`` is where its newest authentic record came from.

    ``wall`` tells the time in Unix seconds, ``random`` gives 0 to 1.
    """

    def __init__(
        self,
        hello: bytes,
        said: Hello,
        cid: bytes,
        keys: RecordKeys,
        keepalive: Keepalive,
        wall: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self.hello = hello
        self.device = said.device
        self.cid = cid
        self.sleepy = bool(said.flags & Flag.SLEEPY)
        self.address: Address = ()
        self.welcomed = 0
        """The time in the WELCOME that began it."""
        self.started = self.heard = 0.0
        self.cold = False
        self.received = 0
        """The bytes of its authentic records, since whoever counts them set this to 0."""
        self._largest = max(said.max_rx, SMALLEST_RX)
        self._opener = Opener(keys.up, RecordType.UP, cid, SERVER_WINDOW)
        self._sealer = Sealer(keys.down, RecordType.DOWN, cid)
        self._keepalive = keepalive
        self._wall = wall
        self._numbers = Numbers(random)
        self._sender = Sender(random)
        self._inbox = Inbox()
        self._assembler = Assembler()
        self._blocks = 0
        self._unstored = Unstored(self._largest)
        self._acks: list[tuple[int, bytes]] = []
        self._challenge: int | None = None
        self._listens_until = 0.0  # 0: it does not listen
        self._name: str | None = None
        self._last_words: bytes = b""

    @property
    def interval(self) -> float:
        """After how many seconds of silence the device shall ping."""
        return self._keepalive.interval

    @property
    def answering(self) -> bool:
        """Whether an acknowledgement is about to go out, after which a sleepy device listens."""
        return bool(self._acks)

    def expired(self, now: float) -> bool:
        """Whether it has had its time."""
        return now - self.started >= LIFETIME or self._sealer.sequence >= LAST_SEQUENCE

    def begin(self, record: bytes, address: Address, now: float) -> list[Event] | None:
        """The first record, with which the device proves that it has the keys; None where it does not."""
        self.started = self.heard = now
        self.address = address
        text = self.open(record, address, now)
        return None if text is None else self.take(text, len(record), now)

    def open(self, record: bytes, address: Address, now: float) -> bytes | None:
        """What is in a record, for ``plain_report`` or ``take``. None where it is not authentic or came before: then
        nothing has changed."""
        window = self._opener.window
        before = window.highest
        text = self._opener.open(record)
        if text is None:
            return None
        self.received += len(record)
        silence, self.heard = now - self.heard, now
        self.cold = False
        if window.highest > before and (address != self.address or silence >= self._keepalive.telling):
            self._came_from(address, silence)
        return text

    def plain_report(self, text: bytes, size: int, now: float) -> tuple[Report, bytes] | None:
        """The commonest thing in a record of ``size`` bytes: a confirmable report that is new and fits as a whole. It
        comes with the MessagePack of its message, so that it need not be written again to be stored.

        None where it is anything else, of which nothing has been taken in: that is for ``take``, which does the same
        with a dozen objects more, each of which costs a tenth of what the report does here.
        """
        if not text.startswith(_PLAIN_REPORT) or self._unstored.full:
            return None
        plain = plain_report(text, HEAD)
        if plain is None:
            return None
        message_id = text[1] << 8 | text[2]
        if not self._inbox.take(message_id, now):
            return None
        report = plain[0]
        self._unstored.add(report.boot, report.sequence, message_id, size)
        return plain

    def plain_ack(self, ack: Ack) -> bytes | None:
        """What to send where a plain report is on disk and there is nothing else to send, as nearly always. None for
        all else, of which nothing was done: that is for ``send`` and ``datagrams``, which cost twice as much."""
        sender = self._sender
        if sender.flight is not None or sender.waiting or self.sleepy or self._challenge is not None or self._acks:
            return None
        message_id = self._unstored.stored_alone(ack)
        if message_id is None:
            return None
        self._inbox.answered(message_id, b"")
        said = int(self._wall()).to_bytes(TIME, "big")
        return self._sealer.seal(acknowledgement(message_id, said, False))

    def take(self, text: bytes, size: int, now: float) -> list[Event]:
        """Take what was in a record of ``size`` bytes."""
        try:
            return self._content(parse_content(text), size, now)
        except WireError as error:
            return [Malformed(str(error))]

    def send(self, message: Message, now: float) -> None:
        """Send what the center has to say. What a device over UDP has no use for is left out."""
        if isinstance(message, Ack):
            for message_id, body in self._unstored.stored(message):
                self._answer(message_id, body)
        elif isinstance(message, Busy):
            self._not_stored(message)
        elif isinstance(message, Command):
            self._push(message)
        elif isinstance(message, Tunnel | Renew):
            self._sender.put(Parcel(*body_of(message)))

    def configure(self, name: str) -> None:
        """Tell the device what it is called, and how often to show itself."""
        self._name = name
        if self.sleepy:
            return
        self._sender.drop(lambda parcel: parcel.kind == Kind.CONFIGURATION)
        body = msgspec.msgpack.encode(Configuration(int(self.interval), name))
        self._sender.put(Parcel(Kind.CONFIGURATION, body))

    def close(self, close: Close) -> None:
        """Say why it ends, where the device is known to be reached at its address."""
        kind, body = body_of(close)
        room = room_for_text(self._largest) - HEAD
        if self._challenge is None:
            self._last_words = self._sealer.seal(Content(kind, 0, body if len(body) <= room else b"").text())

    def datagrams(self, now: float) -> list[bytes]:
        """What is to be sent to ``address`` now."""
        datagrams = [self._sealed_ack(message_id, body) for message_id, body in self._acks]
        self._acks.clear()
        if self._sender and self.sleepy and datagrams:
            self._listens_until = now + LISTENS
        if self._sender and self._challenge is None and (not self.sleepy or now < self._listens_until):
            flight = self._sender.next(now)
            if flight is not None:
                if self.sleepy:
                    self._listens_until = now + LISTENS
                kind, body, _ = flight.parcel
                more = bool(self._sender.waiting)
                text = Content(kind, flight.message_id, body, confirmable=True, more=more).text()
                datagrams.append(self._sealer.seal(text))
        if self._last_words:
            datagrams.append(self._last_words)
            self._last_words = b""
        return datagrams

    def timer(self) -> float | None:
        """When to call ``tick``; None where nothing is to be done by itself."""
        if not self._sender or self._challenge is not None:
            return None
        return (self._listens_until or None) if self.sleepy else self._sender.due

    def tick(self, now: float) -> list[Event]:
        """The time that ``timer`` gave has come."""
        if self.sleepy:
            return self._stopped_listening() if now >= self._listens_until else []
        if self._sender.given_up(now) is None:
            return []
        self._keepalive.push_died()
        return [self.lose_sight("it does not answer")]

    def silent(self, now: float) -> bool:
        """Whether the device should have been heard of by now. Of a sleepy one nobody knows."""
        return not self.cold and not self.sleepy and now - self.heard > self.interval * PATIENCE

    def lose_sight(self, reason: str) -> Cold:
        """The device cannot be reached any more: what was on its way to it is forgotten."""
        self.cold = True
        self._sender.clear()
        return Cold(reason)

    def _came_from(self, address: Address, silence: float) -> None:
        moved = address != self.address
        if moved:
            self.address = address
            self._challenge = self._sender.fresh_id()
        if self._keepalive.heard(silence, moved) and self._name is not None:
            self.configure(self._name)

    def _content(self, content: Content, size: int, now: float) -> list[Event]:
        events: list[Event] = []
        if content.acked is not None:
            self._acked(content.acked, now, events)
        if not content.confirmable:
            self._take(content, size, events)
            return events
        if self._inbox.take(content.message_id, now):
            try:
                self._take(content, size, events)
            except WireError:
                self._inbox.forget(content.message_id)
                raise
        else:
            answer = self._inbox.answer(content.message_id)
            if answer is not None:
                self._acks.append((content.message_id, answer))
        if self.sleepy and self._acks:
            events.append(Listening())
        return events

    def _take(self, content: Content, size: int, events: list[Event]) -> None:
        """Take a message that is new."""
        kind, body = content.kind, content.body
        if kind == Kind.BLOCK:
            whole = self._assembler.add(body)
            if whole is None:
                kind = Kind.PING
            else:
                kind, body = whole[0], whole[1:]
        if kind == Kind.REPORT:
            report = message_of(kind, body, self._numbers)
            if content.confirmable:
                self._unstored.add(report.boot, report.sequence, content.message_id, size)
            events.append(Received(report))
            return
        if kind in (Kind.RESULT, Kind.LOG, Kind.HELLO, Kind.TUNNEL, Kind.RENEW, Kind.CLOSE):
            message = message_of(kind, body, self._numbers)
            if isinstance(message, Result):
                self._spare(message.id)
            events.append(Received(message))
        elif kind not in (Kind.PING, Kind.POLL):
            raise WireError(f"a device does not send kind {kind}")
        if content.confirmable:
            self._answer(content.message_id, b"")

    def _not_stored(self, busy: Busy) -> None:
        """Readings could not be stored: their message counts as new when it comes again."""
        message_id = self._unstored.not_stored(busy)
        if message_id is not None:
            self._inbox.forget(message_id)

    def _answer(self, message_id: int, body: bytes) -> None:
        self._inbox.answered(message_id, body)
        self._acks.append((message_id, body))

    def _sealed_ack(self, message_id: int, body: bytes) -> bytes:
        said = int(self._wall()).to_bytes(TIME, "big") + body
        more, challenge = bool(self._sender), self._challenge
        if challenge is None:
            return self._sealer.seal(acknowledgement(message_id, said, more))
        return self._sealer.seal(Content(Kind.PING, challenge, said, True, message_id, more).text())

    def _acked(self, message_id: int, now: float, events: list[Event]) -> None:
        if message_id == self._challenge:
            self._challenge = None
            return
        parcel = self._sender.acknowledged(message_id, now)
        if parcel is not None and parcel.token is not None and parcel.token.last:
            events.append(Delivered(parcel.token.command))

    def _push(self, command: Command) -> None:
        """Commands are bounded by the center, which has only so many under way on a device."""
        self._blocks = self._blocks + 1 & 0xFFFF
        room = room_for_text(self._largest) - HEAD
        self._sender.waiting.extend(parcels_of(command, room, self._blocks))

    def _spare(self, command: int) -> None:
        """Send no more of a command of which the end is known."""
        self._sender.drop(lambda parcel: parcel.token is not None and parcel.token.command == command)

    def _stopped_listening(self) -> list[Event]:
        self._listens_until = 0.0
        commands = commands_of(self._sender.clear())
        return [Undelivered(commands)] if commands else []
