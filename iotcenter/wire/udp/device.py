"""A device's end: it says HELLO, and then sends what it has, one message at a time, until each is acknowledged.

``receive``, ``tick`` and ``put`` take what happens, ``datagrams`` gives what is to be sent then, ``timer`` the time at
which to call ``tick``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from iotcenter.wire.errors import UNDECODABLE, WireError
from iotcenter.wire.messages import Refusal
from iotcenter.wire.udp.blocks import Assembler, split
from iotcenter.wire.udp.content import HEAD_WITH_ACK, Content, Kind, parse_content
from iotcenter.wire.udp.delivery import FIRST_WAIT, RETRIES, SPREAD, Inbox, Parcel, Sender, Waiting
from iotcenter.wire.udp.handshake import OPEN, WELCOME, Flag, Hello, Opening, Welcome, parse_welcome
from iotcenter.wire.udp.keys import DeviceKeys
from iotcenter.wire.udp.pace import Pace
from iotcenter.wire.udp.records import (
    DEVICE_WINDOW,
    HEADER,
    LARGEST_DATAGRAM,
    Opener,
    RecordType,
    Sealer,
    room_for_text,
)

LIFETIME = 24 * 3600.0
"""Seconds after which a session is replaced."""

UNANSWERED = 3
"""Messages that may remain without an answer before there is a new handshake."""

RESET_EVERY = 10.0
"""Seconds between two handshakes that somebody's RESET may lead to: it is not authentic."""

ROOM = room_for_text(LARGEST_DATAGRAM, OPEN) - HEAD_WITH_ACK
"""Bytes of body in one datagram, also where it begins a session."""

LONGEST_DATAGRAM = 255 * 16
"""Bytes that HELLO can say that a device takes at most."""


class Connected(NamedTuple):
    """The server has proven itself, and knows the device: a session has begun."""

    welcome: Welcome


class Answered(NamedTuple):
    """A message arrived: by what its sender knows it, the server's time, what was refused, and whether more waits."""

    token: Any
    time: int
    refused: tuple[Refusal, ...]
    more: bool


class Arrived(NamedTuple):
    """The server sent a message: its kind and its body. ``more`` says that others follow."""

    kind: int
    body: bytes
    more: bool


class Unreachable(NamedTuple):
    """The server does not answer a HELLO."""


Event = Connected | Answered | Arrived | Unreachable

_refusals = msgspec.msgpack.Decoder(tuple[Refusal, ...])


class Settings(NamedTuple):
    """What a device is: its id, what it says in HELLO, and the longest datagram that it takes."""

    device: bytes
    flags: Flag = Flag(0)
    max_rx: int = LONGEST_DATAGRAM


class _Session:
    """A session whose WELCOME was verified. ``opening`` stands before records until the server's first one came."""

    def __init__(self, keys: DeviceKeys, hello: bytes, datagram: bytes, welcome: Welcome, now: float) -> None:
        self.cid = welcome.cid
        self.started = now
        self.opening: Opening | None = Opening(hello, welcome.time, b"")
        up, down = keys.record_keys(hello, datagram)
        self.sealer = Sealer(up, RecordType.UP, welcome.cid)
        self.opener = Opener(down, RecordType.DOWN, welcome.cid, DEVICE_WINDOW)

    def seal(self, content: Content) -> bytes:
        """The datagram with ``content`` in it."""
        record = self.sealer.seal(content.text())
        return record if self.opening is None else self.opening._replace(record=record).datagram()

    def due(self, now: float) -> bool:
        """Whether it is to be replaced."""
        return now - self.started >= LIFETIME or self.sealer.exhausted


class _Greeting(Waiting):
    """A HELLO that waits for its WELCOME."""

    def __init__(self, datagram: bytes, wait: float, now: float) -> None:
        super().__init__(wait, now)
        self.datagram = datagram


class DeviceSession:
    """One device's way to its server, over one handshake after the other.

    ``fresh_nonce`` gives 16 bytes that were never given before; ``random`` gives 0 to 1. What was put and not answered
    is sent again in the next session.
    """

    def __init__(
        self, settings: Settings, keys: DeviceKeys, fresh_nonce: Callable[[], bytes], random: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._fresh_nonce = fresh_nonce
        self._random = random
        self._greeting: _Greeting | None = None
        self._session: _Session | None = None
        self._sender = Sender(random, Pace())
        self._inbox = Inbox()
        self._assembler = Assembler()
        self._blocks = int(random() * 0xFFFF)
        self._unanswered = 0
        self._reset_at = float("-inf")
        self._out: list[bytes] = []

    @property
    def connected(self) -> bool:
        """Whether there is a session."""
        return self._session is not None

    @property
    def waiting(self) -> int:
        """How many datagrams' worth of messages is not acknowledged."""
        return len(self._sender)

    def connect(self, now: float) -> None:
        """Say HELLO. A session that there is stays until the server has answered."""
        hello = Hello(self._settings.flags, self._settings.max_rx, self._settings.device, self._fresh_nonce())
        wait = FIRST_WAIT * (1 + SPREAD * self._random())
        self._greeting = _Greeting(hello.datagram(self._keys), wait, now)
        self._out.append(self._greeting.datagram)

    def put(self, kind: int, body: bytes = b"", token: Any = None) -> bool:
        """Send a confirmable message when its turn has come; whether there was room for it."""
        if len(body) <= ROOM:
            return self._sender.put(Parcel(kind, body, token))
        self._blocks = self._blocks + 1 & 0xFFFF
        blocks = [*split(bytes([kind]) + body, self._blocks, ROOM)]
        for block in blocks:
            self._sender.waiting.append(Parcel(Kind.BLOCK, block, token if block is blocks[-1] else None))
        return True

    def tell(self, kind: int, body: bytes = b"") -> None:
        """Send a message once, and expect no answer. Where there is no session it is left out."""
        if self._session is not None:
            self._out.append(self._session.seal(Content(kind, 0, body)))

    def receive(self, datagram: bytes, now: float) -> list[Event]:
        """Take a datagram; what is not the server's changes nothing."""
        first = datagram[:1]
        if first == bytes([RecordType.DOWN]):
            return self._down(datagram, now)
        if first == bytes([RecordType.WELCOME]) and len(datagram) == WELCOME:
            return self._welcome(datagram, now)
        if first == bytes([RecordType.RESET]):
            self._reset(datagram, now)
        return []

    def datagrams(self, now: float) -> list[bytes]:
        """What is to be sent now."""
        session = self._session
        if session is not None:
            if session.due(now) and self._greeting is None:
                self.connect(now)
            flight = None if session.sealer.exhausted else self._sender.next(now)
            if flight is not None:
                content = Content(flight.parcel.kind, flight.message_id, flight.parcel.body, confirmable=True)
                self._out.append(session.seal(content))
        out, self._out = self._out, []
        return out

    def timer(self) -> float | None:
        """When to call ``tick``; None where only something new can move it."""
        times = [] if self._greeting is None else [self._greeting.due]
        if self._session is not None:
            times += [self._session.started + LIFETIME] if self._greeting is None else []
            times += [] if self._sender.due is None else [self._sender.due]
        return min(times, default=None)

    def tick(self, now: float) -> list[Event]:
        """The time that ``timer`` gave has come; ask for ``datagrams`` after it."""
        greeting = self._greeting
        if greeting is not None and now >= greeting.due:
            if greeting.tries > RETRIES:
                self._greeting = None
                self._session = None
                return [Unreachable()]
            greeting.again(now)
            self._out.append(greeting.datagram)
        parcel = self._sender.given_up(now) if self._session is not None else None
        if parcel is not None:
            self._sender.waiting.appendleft(parcel)
            self._unanswered += 1
            if self._unanswered >= UNANSWERED and self._greeting is None:
                self.connect(now)
        return []

    def _welcome(self, datagram: bytes, now: float) -> list[Event]:
        if self._greeting is None:
            return []
        hello = self._greeting.datagram
        welcome = parse_welcome(datagram, hello, self._keys)
        if welcome is None:
            return []
        self._greeting = None
        self._unanswered = 0
        self._session = _Session(self._keys, hello, datagram, welcome, now)
        flight, self._sender.flight = self._sender.flight, None
        if flight is not None:
            self._sender.waiting.appendleft(flight.parcel)
        self._inbox = Inbox()
        return [Connected(welcome)]

    def _reset(self, datagram: bytes, now: float) -> None:
        session = self._session
        if session is None or datagram[1:5] != session.cid or len(datagram) != HEADER:
            return
        if self._greeting is None and now - self._reset_at >= RESET_EVERY:
            self._reset_at = now
            self.connect(now)

    def _down(self, datagram: bytes, now: float) -> list[Event]:
        session = self._session
        text = session.opener.open(datagram) if session is not None else None
        if session is None or text is None:
            return []
        session.opening = None
        self._unanswered = 0
        try:
            content = parse_content(text)
        except WireError:
            return []
        events: list[Event] = []
        if content.acked is not None:
            self._acked(content, now, events)
        if content.confirmable:
            self._out.append(session.seal(Content(Kind.PING, 0, acked=content.message_id)))
        if content.kind != Kind.PING and (not content.confirmable or self._inbox.take(content.message_id, now)):
            self._arrived(content, events)
        return events

    def _acked(self, content: Content, now: float, events: list[Event]) -> None:
        parcel = self._sender.acknowledged(content.acked or 0, now)
        if parcel is None or parcel.token is None:
            return
        time = int.from_bytes(content.body[:4], "big") if content.kind == Kind.PING else 0
        try:
            refused = _refusals.decode(content.body[4:]) if len(content.body) > 4 else ()
        except UNDECODABLE:
            refused = ()
        events.append(Answered(parcel.token, time, refused, content.more))

    def _arrived(self, content: Content, events: list[Event]) -> None:
        if content.kind != Kind.BLOCK:
            events.append(Arrived(content.kind, content.body, content.more))
            return
        try:
            whole = self._assembler.add(content.body)
        except WireError:
            return
        if whole:
            events.append(Arrived(whole[0], whole[1:], content.more))
