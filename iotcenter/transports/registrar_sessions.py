"""The devices that are logged in at the registrar, each of them linked to the center for as long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail

from iotcenter.interfaces import Attachment, House, Refused
from iotcenter.model import DeviceId, LogLevel, LogLine, Message, Reading
from iotcenter.wire.messages import Ack, Busy, Hello, Log, Report
from iotcenter.wire.registrar.packets import HEARTBEAT, MISSED_HEARTBEATS

SILENCE = HEARTBEAT * MISSED_HEARTBEATS
"""Seconds without a packet that log a device off."""

MOST_WAITING = 100
"""Reports of one device that may wait for the disk: its datagrams are not held back by anything else."""


class NotStored(Exception):
    """The readings could not be stored now; the text says why."""


class Connection(Protocol):
    """What of a connection matters here."""

    lost: bool
    """Whether it is gone."""

    def welcome(self) -> None:
        """Somebody logged in by it."""


@dataclass(frozen=True)
class Sender:
    """Where a packet came from.

    ``way`` is ``tls``, ``tcp`` or ``udp``. ``connection`` is None for a datagram. ``alone`` says that nothing else came
    by this connection: the original clients make a new one for each packet.
    """

    host: str
    port: int
    way: str
    connection: Connection | None = None
    alone: bool = True

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port} over {self.way}"


class Session:
    """A device from LOGIN to LOGOFF: the center's ``Link`` to it, which numbers its readings.

    ``ended`` is called once, at whichever end: LOGOFF, three missed heartbeats, a revocation, a lost connection.
    """

    transport = "registrar"
    heartbeat = HEARTBEAT

    def __init__(self, house: House, sender: Sender, address: str, ended: Callable[[], None]) -> None:
        self.sender = sender
        self.address = address
        self._house = house
        self._ended = ended
        self._boot = 0
        self._sequence = 1
        self._attachment: Attachment | None = None
        self._silence: Any = None
        self._unwatch: Callable[[], None] = lambda: None
        self._waiting: dict[int, Deferred[None]] = {}
        """Those who wait for a report to be on disk, by the number of its first reading."""

    def begin(self, device: DeviceId, boot: int) -> None:
        """Log the device in. Raises ``Refused`` where it may not come in."""
        self._boot = boot
        self._attachment = self._house.center.attach(device, self, Hello(agent="registrar", boot=boot))
        self._unwatch = self._house.accounts.watch(device, self.end)
        self._silence = self._house.reactor.callLater(SILENCE, self.end, f"no packet for {SILENCE:g} s")

    def end(self, reason: str) -> None:
        """Log the device off."""
        attachment, self._attachment = self._attachment, None
        if attachment is None:
            return
        if self._silence.active():
            self._silence.cancel()
        self._unwatch()
        self._ended()
        attachment.detached(reason)
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting.values():
            waiter.errback(NotStored(reason))

    def trusts(self, sender: Sender) -> bool:
        """Whether a packet without a password may be this device's.

        What logged in over TLS is not trusted in clear text, where a sender's address is easily forged.
        """
        if sender.connection is not None and sender.connection is self.sender.connection:
            return True
        return self._is_from_its_host(sender) and (sender.way == "tls" or self.sender.way != "tls")

    def _is_from_its_host(self, sender: Sender) -> bool:
        return sender.alone and sender.host == self.sender.host

    def trusts_heartbeat(self, sender: Sender) -> bool:
        """The same for STATUS, which clients may send over UDP whatever way they logged in: it changes nothing."""
        return self.trusts(sender) or self._is_from_its_host(sender)

    def heard(self) -> None:
        """The device sent a packet."""
        self._silence.reset(SILENCE)

    def report(self, readings: tuple[Reading, ...]) -> Deferred[None]:
        """Fires when ``readings`` are on disk, or refused for good. Fails with ``NotStored``."""
        if len(self._waiting) >= MOST_WAITING:
            return fail(NotStored("too many of its packets wait to be stored"))
        stored: Deferred[None] = Deferred()
        first, self._sequence = self._sequence, self._sequence + len(readings)
        self._waiting[first] = stored
        self._tell(Report(self._boot, first, readings))
        return stored

    def note(self, text: str) -> None:
        """A line for the device's log."""
        self._tell(Log((LogLine(0.0, LogLevel.INFO, text),)))

    def send(self, message: Message) -> None:
        """See ``iotcenter.interfaces.Link``: of all that a center says, what became of readings concerns us."""
        if isinstance(message, Ack):
            for first in [first for first in self._waiting if 0 <= first - message.sequence < message.count]:
                self._waiting.pop(first).callback(None)
        elif isinstance(message, Busy):
            waiter = self._waiting.pop(message.sequence, None)
            if waiter is not None:
                waiter.errback(NotStored(message.reason))

    def close(self, code: str, reason: str) -> None:
        """See ``iotcenter.interfaces.Link``."""
        self.end(reason)

    def _tell(self, message: Message) -> None:
        if self._attachment is not None:
            self._attachment.received(message)


class Sessions:
    """Who is logged in, by device-id."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._sessions: dict[str, Session] = {}
        self._last_boot = 0

    def __contains__(self, device_id: str) -> bool:
        return device_id in self._sessions

    def begin(self, device_id: str, device: DeviceId, sender: Sender, address: str) -> None:
        """Log a device in. Raises ``Refused`` where it is logged in already, or may not come in."""
        if device_id in self._sessions:
            raise Refused("it is logged in already")
        if sender.connection is not None and sender.connection.lost:
            raise Refused("its connection was gone before its password was checked")
        # A number of its own for each time, so that its readings are numbered anew.
        self._last_boot = max(self._last_boot + 1, int(self._house.clock.seconds()))
        session = Session(self._house, sender, address, partial(self._sessions.__delitem__, device_id))
        self._sessions[device_id] = session
        try:
            session.begin(device, self._last_boot)
        except Refused:
            del self._sessions[device_id]
            raise
        if sender.connection is not None:
            sender.connection.welcome()

    def of(self, device_id: str, sender: Sender) -> Session:
        """The session that a packet without a password belongs to, which lives on by it. Raises ``Refused``."""
        return self._of(device_id, lambda session: session.trusts(sender))

    def alive(self, device_id: str, sender: Sender) -> None:
        """A heartbeat came. Raises ``Refused``."""
        self._of(device_id, lambda session: session.trusts_heartbeat(sender))

    def _of(self, device_id: str, trusted: Callable[[Session], bool]) -> Session:
        session = self._sessions.get(device_id)
        if session is None:
            raise Refused("it is not logged in")
        if not trusted(session):
            raise Refused("it is logged in from elsewhere")
        session.heard()
        return session

    def end(self, device_id: str, reason: str) -> None:
        """Log a device off, where it is logged in."""
        session = self._sessions.get(device_id)
        if session is not None:
            session.end(reason)

    def connection_lost(self, connection: Connection) -> None:
        """Log off who logged in by a connection that is gone."""
        for session in [one for one in self._sessions.values() if one.sender.connection is connection]:
            session.end("its connection is gone")

    def end_all(self, reason: str) -> None:
        """Log everybody off."""
        for session in tuple(self._sessions.values()):
            session.end(reason)
