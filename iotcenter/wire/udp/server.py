"""A session at the server's end: records in, messages out, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from iotcenter.model import Message
from iotcenter.wire.errors import WireError
from iotcenter.wire.messages import Ack, Busy, Close, Command, Refusal, Renew, Result, Tunnel
from iotcenter.wire.udp.blocks import Assembler, split
from iotcenter.wire.udp.bodies import Configuration, body_of, message_of
from iotcenter.wire.udp.content import HEAD, HEAD_WITH_ACK, Content, Kind, parse_content
from iotcenter.wire.udp.delivery import Inbox, Parcel, Sender
from iotcenter.wire.udp.handshake import Flag, Hello
from iotcenter.wire.udp.keepalive import Keepalive
from iotcenter.wire.udp.keys import RecordKeys
from iotcenter.wire.udp.records import SERVER_WINDOW, Opener, RecordType, Sealer, room_for_text

LISTENS = 1.0
"""Seconds that a sleepy device listens after it was told that more is waiting."""

PATIENCE = 2.5
"""How many keepalive intervals of silence mean that nobody can say whether the device is there."""

LIFETIME = 25 * 3600.0
"""Seconds after which a session ends: the device makes a new one every 24 hours, and has an hour for it."""

SMALLEST_RX = 48
"""Bytes that any device takes: an acknowledgement has 41."""

WAITING_REPORTS = 64
"""Reports of one session that may wait for the disk; a device has one on its way, or it breaks the protocol."""

TIME = 4
"""Bytes of the time in an acknowledgement."""

REASON_LENGTHS = (1024, 40, 10, 0)
"""To how many characters the reason of a refusal is cut, until it fits."""

SYNTHETIC = 0x80000000
"""Set in the boot number of readings that came without one: devices count theirs from 1."""

Address = tuple[Any, ...]
"""Where datagrams come from, as the socket has it."""


class Received(NamedTuple):
    """The device sent a message."""

    message: Any


class Delivered(NamedTuple):
    """The device has the command with that number."""

    command: int


class Undelivered(NamedTuple):
    """A sleepy device did not take these commands while it listened."""

    commands: tuple[int, ...]


class Listening(NamedTuple):
    """A sleepy device is about to be answered: what is put now follows on the answer."""


class Cold(NamedTuple):
    """The device cannot be reached, until its next record comes."""

    reason: str


class Malformed(NamedTuple):
    """The device, or whoever has its key, sent something that does not fit; it was dropped."""

    fault: str


Event = Received | Delivered | Undelivered | Listening | Cold | Malformed


class Push(NamedTuple):
    """What a parcel is a part of: a command, and whether it is its last."""

    command: int
    last: bool


class Waiting(NamedTuple):
    """A report that waits for the disk: the message id to acknowledge, and how long the answer may be."""

    message_id: int
    room: int


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
        self._largest = max(said.max_rx, SMALLEST_RX)
        self._opener = Opener(keys.up, RecordType.UP, cid, SERVER_WINDOW)
        self._sealer = Sealer(keys.down, RecordType.DOWN, cid)
        self._keepalive = keepalive
        self._wall = wall
        self._boot = SYNTHETIC | int(random() * (SYNTHETIC - 1))
        self._numbered = 0
        self._sender = Sender(random)
        self._inbox = Inbox()
        self._assembler = Assembler()
        self._blocks = 0
        self._reports: dict[tuple[int, int], Waiting] = {}
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
        return now - self.started >= LIFETIME or self._sealer.exhausted

    def begin(self, record: bytes, address: Address, now: float) -> list[Event] | None:
        """The first record, with which the device proves that it has the keys; None where it does not."""
        self.started = self.heard = now
        self.address = address
        self._keepalive.begin(now)
        return self.receive(record, address, now)

    def receive(self, record: bytes, address: Address, now: float) -> list[Event] | None:
        """Take a record. None where it is not authentic or came before: then nothing has changed."""
        before = self._opener.window.highest
        text = self._opener.open(record)
        if text is None:
            return None
        if self._opener.window.highest > before:
            self._came_from(address, now)
        self.heard = now
        self.cold = False
        try:
            return self._content(parse_content(text), len(record), now)
        except WireError as error:
            return [Malformed(str(error))]

    def send(self, message: Message, now: float) -> None:
        """Send what the center has to say. What a device over UDP has no use for is left out."""
        if isinstance(message, Ack):
            self._stored(message)
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
        waiting = self._sender.waiting
        for parcel in [parcel for parcel in waiting if parcel.kind == Kind.CONFIGURATION]:
            waiting.remove(parcel)
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
        if self.sleepy and datagrams and self._sender:
            self._listens_until = now + LISTENS
        self._acks.clear()
        if self._challenge is None and (not self.sleepy or now < self._listens_until):
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

    def _came_from(self, address: Address, now: float) -> None:
        moved = address != self.address
        if moved:
            self.address = address
            self._challenge = self._sender.fresh_id()
        if self._keepalive.heard(now, moved) and self._name is not None:
            self.configure(self._name)

    def _content(self, content: Content, size: int, now: float) -> list[Event]:
        events: list[Event] = []
        if content.acked is not None:
            self._acked(content.acked, events)
        if not content.confirmable:
            self._take(content, None, events)
            return events
        if self._inbox.take(content.message_id, now):
            room = min(room_for_text(size), room_for_text(self._largest)) - HEAD_WITH_ACK - TIME
            try:
                self._take(content, Waiting(content.message_id, room), events)
            except WireError:
                self._inbox.forget(content.message_id)
                raise
        else:
            answer = self._inbox.answer(content.message_id)
            if answer is not None:
                self._ack(content.message_id, answer)
        if self.sleepy and self._acks:
            events.append(Listening())
        return events

    def _take(self, content: Content, waiting: Waiting | None, events: list[Event]) -> None:
        """Take a message that is new. ``waiting`` is set where it is to be acknowledged."""
        kind, body = content.kind, content.body
        if kind == Kind.BLOCK:
            whole = self._assembler.add(body)
            if whole is None:
                kind = Kind.PING
            else:
                kind, body = whole[0], whole[1:]
        if kind == Kind.REPORT:
            self._report(message_of(kind, body, self._number), waiting, events)
            return
        if kind in (Kind.RESULT, Kind.LOG, Kind.HELLO, Kind.TUNNEL, Kind.RENEW, Kind.CLOSE):
            message = message_of(kind, body, self._number)
            if isinstance(message, Result):
                self._spare(message.id)
            events.append(Received(message))
        elif kind not in (Kind.PING, Kind.POLL):
            raise WireError(f"a device does not send kind {kind}")
        if waiting is not None:
            self._inbox.answered(waiting.message_id, b"")
            self._ack(waiting.message_id, b"")

    def _report(self, report: Any, waiting: Waiting | None, events: list[Event]) -> None:
        if waiting is not None:
            if len(self._reports) >= WAITING_REPORTS:
                raise WireError("too many reports wait for the disk")
            self._reports[report.boot, report.sequence] = waiting
        events.append(Received(report))

    def _number(self, count: int) -> tuple[int, int]:
        sequence, self._numbered = self._numbered + 1, self._numbered + count
        return self._boot, sequence

    def _stored(self, ack: Ack) -> None:
        """Readings are on disk: acknowledge the messages that they came in. One acknowledgement may be for several."""
        waiting = self._reports.pop((ack.boot, ack.sequence), None)
        if waiting is not None:
            self._answer(waiting, ack.refused)
        last = ack.sequence + ack.count
        if self._reports:
            for boot, sequence in [key for key in self._reports if key[0] == ack.boot]:
                if ack.sequence <= sequence < last:
                    self._answer(self._reports.pop((boot, sequence)), ())

    def _not_stored(self, busy: Busy) -> None:
        """Readings could not be stored: their message counts as new when it comes again."""
        waiting = self._reports.pop((busy.boot, busy.sequence), None)
        if waiting is not None:
            self._inbox.forget(waiting.message_id)

    def _answer(self, waiting: Waiting, refused: Sequence[Refusal]) -> None:
        body = _refusals(refused, waiting.room)
        self._inbox.answered(waiting.message_id, body)
        self._ack(waiting.message_id, body)

    def _ack(self, message_id: int, body: bytes) -> None:
        self._acks.append((message_id, body))

    def _sealed_ack(self, message_id: int, body: bytes) -> bytes:
        time = int(self._wall()).to_bytes(TIME, "big")
        challenge = self._challenge
        own = 0 if challenge is None else challenge
        more = bool(self._sender)
        return self._sealer.seal(Content(Kind.PING, own, time + body, challenge is not None, message_id, more).text())

    def _acked(self, message_id: int, events: list[Event]) -> None:
        if message_id == self._challenge:
            self._challenge = None
            return
        parcel = self._sender.acknowledged(message_id)
        if parcel is not None and parcel.token is not None and parcel.token.last:
            events.append(Delivered(parcel.token.command))

    def _push(self, command: Command) -> None:
        kind, body = body_of(command)
        room = room_for_text(self._largest) - HEAD
        if len(body) <= room:
            self._sender.put(Parcel(kind, body, Push(command.id, True)))
            return
        self._blocks = self._blocks + 1 & 0xFFFF
        blocks = [*split(bytes([kind]) + body, self._blocks, room)]
        for block in blocks:
            self._sender.waiting.append(Parcel(Kind.BLOCK, block, Push(command.id, block is blocks[-1])))

    def _spare(self, command: int) -> None:
        """Send no more of a command of which the end is known."""
        for parcel in [one for one in self._sender.waiting if one.token is not None and one.token.command == command]:
            self._sender.waiting.remove(parcel)

    def _stopped_listening(self) -> list[Event]:
        self._listens_until = 0.0
        parcels = self._sender.clear()
        commands = tuple(parcel.token.command for parcel in parcels if parcel.token is not None and parcel.token.last)
        return [Undelivered(commands)] if commands else []


def _refusals(refused: Sequence[Refusal], room: int) -> bytes:
    """What was refused, as much as fits into an acknowledgement: first the reasons are cut, then the last left out."""
    while refused:
        for length in REASON_LENGTHS:
            body = msgspec.msgpack.encode([(one.sequence, one.reason[:length]) for one in refused])
            if len(body) <= room:
                return body
        refused = refused[:-1]
    return b""
