"""The server's end of version 2: which datagram belongs to which session, and how a session begins.

Nothing is kept of anybody who has not proven a key, and nothing is said to anybody who has not shown one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from iotcenter.wire.messages import Report
from iotcenter.wire.udp.events import Address, Event
from iotcenter.wire.udp.handshake import (
    CID,
    CID_REST,
    WELCOME_LIFETIME,
    Flag,
    Greeting,
    Opening,
    is_authentic,
    parse_hello,
    parse_open,
)
from iotcenter.wire.udp.keepalive import START, Keepalive
from iotcenter.wire.udp.keys import DeviceKeys
from iotcenter.wire.udp.records import LARGEST_DATAGRAM, SHORTEST, RecordType
from iotcenter.wire.udp.server import ServerSession

SESSIONS_APART = 1.0
"""Seconds between two sessions of one device: what has its key cannot make us remember more than devices need."""

STEP = 2.0
"""Seconds by which the wall clock must have been set to count as another: a WELCOME of before is no good then."""

RESET_EVERY = 10.0
"""Seconds between two hints to a device that we do not know its session any more."""


_UP = int(RecordType.UP)


class Refusal(StrEnum):
    """Why a datagram was dropped."""

    MALFORMED = "malformed"
    UNKNOWN_DEVICE = "unknown device"
    NOT_AUTHENTIC = "not authentic"
    NO_SESSION = "no session"
    STALE = "stale"


class Arrival(NamedTuple):
    """An authentic record: its session, what it brought, and the session that it ends, where it began a new one."""

    session: ServerSession
    events: list[Event]
    begun: bool = False
    ended: ServerSession | None = None


Reported = tuple[ServerSession, Report, bytes]
"""A report, the session that it came by, and the MessagePack of its message."""


class Former:
    """A session that is no more: its device's address, which alone is told, and when it was told last."""

    def __init__(self, device: bytes, address: Address) -> None:
        self.device = device
        self.address = address
        self.told = float("-inf")


class Endpoint:
    """All sessions of a server. ``keys`` finds a device's keys by its id; ``now`` is on a clock that nobody sets.

    ``wall`` tells the time in Unix seconds, ``random`` gives 0 to 1, ``randbytes`` so many bytes that nobody can guess.
    """

    def __init__(
        self,
        keys: Callable[[bytes], DeviceKeys | None],
        wall: Callable[[], float],
        random: Callable[[], float],
        randbytes: Callable[[int], bytes],
    ) -> None:
        self.sessions: dict[bytes, ServerSession] = {}
        self.refused: Counter[Refusal] = Counter()
        self.answers: list[tuple[bytes, Address]] = []
        """Datagrams to send that belong to no session, and where."""
        self.reports: list[Reported] = []
        """Reports of the commonest kind, gathered so that those of many devices go to the center together. They came
        before whatever ``receive`` returns next."""
        self._keys = keys
        self._wall = wall
        self._random = random
        self._randbytes = randbytes
        self._by_device: dict[bytes, ServerSession] = {}
        self._keepalives: dict[bytes, Keepalive] = {}
        self._former: dict[bytes, Former] = {}
        self._former_cids: dict[bytes, bytes] = {}
        self._resting: dict[bytes, float] = {}
        self._offset = 0.0
        self._greeting = self._new_greeting()
        self._openers: dict[int, Callable[[bytes, Address, float], Arrival | None]] = {
            RecordType.HELLO: self._hello,
            RecordType.OPEN: self._open,
        }

    def receive(self, datagram: bytes, address: Address, now: float) -> Arrival | None:
        """Take a datagram; None for one that brought nothing but a report, or belongs to no session. Look into
        ``answers`` after it, and into ``reports``."""
        if not 0 < len(datagram) <= LARGEST_DATAGRAM:
            return self._refuse(Refusal.MALFORMED)
        if datagram[0] == _UP:
            session = self.sessions.get(datagram[1:5])
            if session is None or session.expired(now):
                return self._no_session(session, datagram, address, now)
            return self._arrived(session, datagram, address, now)
        handler = self._openers.get(datagram[0])
        return self._refuse(Refusal.MALFORMED) if handler is None else handler(datagram, address, now)

    def end(self, session: ServerSession, now: float) -> None:
        """Forget a session; its cid rests for a while."""
        if session.cid in self.sessions:
            self._rest(session.cid, now)
        self.abandon(session)

    def abandon(self, session: ServerSession) -> None:
        """Forget a session that could not be used: the OPEN that began it may come again."""
        self.sessions.pop(session.cid, None)
        if self._by_device.get(session.device) is session:
            del self._by_device[session.device]

    def forget(self, device: bytes, now: float) -> None:
        """Forget all of a device that may not come in any more."""
        session = self.session_of(device)
        if session is not None:
            self.end(session, now)
        self._keepalives.pop(device, None)
        self._drop_former(device)

    def remember(self, device: bytes, cid: bytes, address: Address) -> None:
        """A session that has ended, or one of an earlier run: its device is told at that address that it is no more."""
        self._drop_former(device)
        self._former[cid] = Former(device, address)
        self._former_cids[device] = cid

    def session_of(self, device: bytes) -> ServerSession | None:
        """The session that a device has now."""
        return self._by_device.get(device)

    def _arrived(self, session: ServerSession, record: bytes, address: Address, now: float) -> Arrival | None:
        text = session.open(record, address, now)
        if text is None:
            return self._refuse(Refusal.NOT_AUTHENTIC)
        plain = session.plain_report(text, len(record), now)
        if plain is None:
            return Arrival(session, session.take(text, len(record), now))
        report, packed = plain
        self.reports.append((session, report, packed))
        return None

    def _no_session(
        self, expired: ServerSession | None, datagram: bytes, address: Address, now: float
    ) -> Arrival | None:
        """A record of a session that is no more. Its device is told at the address that it had; nobody else is."""
        if expired is not None:
            self.end(expired, now)
            self.remember(expired.device, expired.cid, expired.address)
        former = self._former.get(datagram[1:5])
        known = former is not None and former.address[:2] == address[:2] and len(datagram) >= SHORTEST
        if former is not None and known and now - former.told >= RESET_EVERY:
            former.told = now
            self.answers.append((bytes([RecordType.RESET]) + datagram[1:9], address))
        return self._refuse(Refusal.NO_SESSION)

    def _hello(self, datagram: bytes, address: Address, now: float) -> Arrival | None:
        hello = parse_hello(datagram)
        if hello is None:
            return self._refuse(Refusal.MALFORMED)
        keys = self._authenticated(datagram, hello.device)
        if keys is not None:
            time = self._time(now)
            welcome = self._greeting.welcome(keys, datagram, self._fresh_cid(now), time, _place(address))
            self.answers.append((welcome, address))
        return None

    def _open(self, datagram: bytes, address: Address, now: float) -> Arrival | None:
        opening = parse_open(datagram)
        if opening is None:
            return self._refuse(Refusal.MALFORMED)
        session = self.sessions.get(opening.record[1:5])
        if session is not None:
            if session.hello[:36] != opening.hello[:36]:
                return self._refuse(Refusal.STALE)
            return self._arrived(session, opening.record, address, now)
        hello = parse_hello(opening.hello)
        if hello is None:
            return self._refuse(Refusal.MALFORMED)
        keys = self._authenticated(opening.hello, hello.device)
        if keys is None:
            return None
        if not self._timely(opening, hello.device, now):
            return self._refuse(Refusal.STALE)
        return self._begin(opening, keys, address, now)

    def _timely(self, opening: Opening, device: bytes, now: float) -> bool:
        """Whether an OPEN may begin a session: neither a repetition, nor older than the session that there is."""
        if opening.record[1:5] in self._resting or not 0 <= self._time(now) - opening.time <= WELCOME_LIFETIME:
            return False
        present = self.session_of(device)
        return present is None or (opening.time >= present.welcomed and now - present.started >= SESSIONS_APART)

    def _begin(self, opening: Opening, keys: DeviceKeys, address: Address, now: float) -> Arrival | None:
        hello = parse_hello(opening.hello)
        assert hello is not None
        record_keys = self._greeting.keys_of(keys, opening, _place(address))
        keepalive = self._keepalives.get(hello.device) or Keepalive()
        session = ServerSession(
            opening.hello, hello, opening.record[1:5], record_keys, keepalive, self._wall, self._random
        )
        session.welcomed = opening.time
        events = session.begin(opening.record, address, now)
        if events is None:
            return self._refuse(Refusal.NOT_AUTHENTIC)
        self._keepalives[hello.device] = keepalive
        ended = self.session_of(hello.device)
        if ended is not None:
            self.end(ended, now)
        self._drop_former(hello.device)
        self.sessions[session.cid] = self._by_device[hello.device] = session
        return Arrival(session, events, begun=True, ended=ended)

    def _authenticated(self, hello: bytes, device: bytes) -> DeviceKeys | None:
        """The keys of the device that sent ``hello``, where it did."""
        keys = self._keys(device)
        if keys is not None and is_authentic(hello, keys):
            return keys
        self._refuse(Refusal.UNKNOWN_DEVICE if keys is None else Refusal.NOT_AUTHENTIC)
        return None

    def _fresh_cid(self, now: float) -> bytes:
        while self._resting:  # in the order in which they came to rest
            oldest = next(iter(self._resting))
            if now - self._resting[oldest] < CID_REST:
                break
            del self._resting[oldest]
        while True:
            cid = self._randbytes(CID)
            if cid not in self.sessions and cid not in self._resting:
                return cid

    def _rest(self, cid: bytes, now: float) -> None:
        self._resting.pop(cid, None)
        self._resting[cid] = now

    def _drop_former(self, device: bytes) -> None:
        cid = self._former_cids.pop(device, None)
        if cid is not None:
            del self._former[cid]

    def _time(self, now: float) -> int:
        """The time for a WELCOME: it goes on as ``now`` does. When the wall clock is set, those given out are void."""
        offset = self._wall() - now
        if abs(offset - self._offset) > STEP:
            self._offset = offset
            self._greeting = self._new_greeting()
        return int(now + self._offset)

    def _new_greeting(self) -> Greeting:
        return Greeting(self._randbytes(32), Flag.SLEEPY | Flag.FRESH_BOOT, int(START))

    def _refuse(self, why: Refusal) -> Arrival | None:
        """Count a datagram that is dropped; the answer is None, which says so."""
        self.refused[why] += 1
        return None


def _place(address: Address) -> bytes:
    """An address as bytes: its host and its port."""
    return f"{address[0]} {address[1]}".encode()
