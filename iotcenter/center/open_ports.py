"""Ports of this machine that lead to a device for a while: for tools that cannot jump."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from iotcenter.center.devices import Devices
from iotcenter.center.errors import TunnelRefused
from iotcenter.center.events import Events
from iotcenter.center.known import KnownDevice
from iotcenter.center.lengths import in_words
from iotcenter.center.tunnel_words import cannot_reach
from iotcenter.center.tunnels import Opener, Session, Tunnels
from iotcenter.interfaces import Clock
from iotcenter.model import EventKind, OpenPort
from iotcenter.storage.errors import NotFound
from iotcenter.wire.joint import Half

MOST_PORTS = 64
"""The most that are open at once: each is for one person and one tool."""

MAX_LIFETIME = 30 * 86400.0
"""Seconds that one may be open: what is needed for longer deserves a look now and then."""


class Caller(Protocol):
    """Somebody who connected to an open port: a ``Side`` that reads nothing before it is joined. ``gone`` is called
    when they leave before that."""

    gone: Callable[[], None]

    def join(self, half: Half) -> None:
        """The device is there."""

    def close(self) -> None:
        """End the connection."""


class Door(Protocol):
    """A port that listens."""

    host: str
    port: int

    def close(self) -> None:
        """Listen no more; who is connected stays."""


Listen = Callable[[str, int, Callable[[Any], None]], Door]
"""Opens a port of this machine (an address and a number, 0 for any), and calls with each ``Caller``."""


class _Open:
    """A port that is open. What its sessions moved is counted here when they end."""

    def __init__(self, id: int, known: KnownDevice, port: int, actor: str, times: tuple[float, float]) -> None:
        self.id = id
        self.known = known
        self.port = port
        self.actor = actor
        self.opened, self.expires = times
        self.door: Any = None
        self.timer: Any = None
        self.opening: set[Deferred[None]] = set()
        """Those who connected, and wait for the device."""
        self.sessions: set[Session] = set()
        self.sent = self.received = 0

    def shown(self) -> OpenPort:
        """As others see it."""
        live = [session.bytes for session in self.sessions]
        return OpenPort(
            self.id,
            self.known.name,
            self.port,
            self.door.host,
            self.door.port,
            self.actor,
            self.opened,
            self.expires,
            len(self.sessions),
            self.sent + sum(sent for sent, _ in live),
            self.received + sum(received for _, received in live),
        )


class OpenPorts:
    """Opens ports, leads those who connect to them to the device, and closes them when their time is over.

    They do not outlive the server. ``listen`` is set once there is somebody who can.
    """

    log = Logger()

    def __init__(self, devices: Devices, tunnels: Tunnels, events: Events, clock: Clock) -> None:
        self.listen: Listen | None = None
        self._devices = devices
        self._tunnels = tunnels
        self._events = events
        self._clock = clock
        self._open: dict[int, _Open] = {}
        self._last = 0

    def all(self, device: str | None = None) -> tuple[OpenPort, ...]:
        """Those that are open, oldest first; those to one device if it is named."""
        return tuple(one.shown() for one in self._open.values() if device in (None, one.known.name))

    def open(self, device: str, port: int, lifetime: float, opener: Opener, address: tuple[str, int]) -> OpenPort:
        """Lead ``address`` of this machine to a port of the device for ``lifetime`` seconds.

        Raises ``UnknownDevice``, ``TunnelRefused`` where the device cannot be reached so, and ``CannotOpen``.
        """
        known, now = self._devices.named(device), self._clock.seconds()
        reason = cannot_reach(known, port, now, opener.zone)
        if not reason and (self.listen is None or len(self._open) >= MOST_PORTS):
            reason = f"{len(self._open)} ports are open on this server: no more can be"
        if reason:
            raise TunnelRefused(reason)
        assert self.listen is not None
        self._last += 1
        one = _Open(self._last, known, port, opener.actor, (now, now + lifetime))
        one.door = self.listen(*address, lambda caller: self._connected(one, opener, caller))
        one.timer = self._clock.callLater(lifetime, self._close, one, "its time is over")
        self._open[one.id] = one
        text = f"{opener.actor} opened port {one.door.port} on {one.door.host} to port {port} of {device}"
        self._note(EventKind.PORT_OPENED, one, f"{text} for {in_words(lifetime)}", opener.actor)
        return one.shown()

    def close(self, actor: str, id: int | None = None, device: str | None = None, port: int | None = None) -> None:
        """Close those that fit, with what goes through them. Raises ``NotFound`` where none does."""
        found = [
            one
            for one in self._open.values()
            if id in (None, one.id) and device in (None, one.known.name) and port in (None, one.port)
        ]
        if not found:
            raise NotFound("No such port is open.")
        for one in found:
            self._close(one, f"{actor} closed it", actor)

    def dismiss(self, actor: str) -> None:
        """Somebody may do something else than before, or is gone: what they opened is closed."""
        for one in tuple(self._open.values()):
            if one.actor == actor:
                self._close(one, f"{actor} may do something else now")

    def removed(self, known: KnownDevice) -> None:
        """A device is no more."""
        for one in tuple(self._open.values()):
            if one.known is known:
                self._close(one, f"{known.name} was removed")

    def stop(self) -> None:
        """Close them all."""
        for one in tuple(self._open.values()):
            self._close(one, "the server is stopping")

    def _close(self, one: _Open, reason: str, actor: str | None = None) -> None:
        del self._open[one.id]
        if one.timer.active():
            one.timer.cancel()
        one.door.close()
        for opening in tuple(one.opening):
            opening.cancel()
        for session in tuple(one.sessions):
            session.cut(f"the port was closed: {reason}")
        text = f"port {one.door.port} to port {one.port} of {one.known.name} is closed: {reason}"
        self._note(EventKind.PORT_CLOSED, one, text, actor or one.actor, sent=one.sent, received=one.received)

    def _connected(self, one: _Open, opener: Opener, caller: Any) -> None:
        if one.id not in self._open:
            caller.close()
            return
        way = Opener(opener.actor, f"port {one.door.port} of {one.door.host}", opener.zone)
        opening = Deferred.fromCoroutine(self._lead(one, way, caller))
        caller.gone = opening.cancel
        if not opening.called:
            one.opening.add(opening)
            opening.addBoth(self._settled, one, opening)
        opening.addErrback(self._failed, caller)

    def _settled(self, result: object, one: _Open, opening: Deferred[None]) -> object:
        one.opening.discard(opening)
        return result

    async def _lead(self, one: _Open, opener: Opener, caller: Any) -> None:
        def joined(session: Session, half: Half) -> None:
            one.sessions.add(session)
            session.ended = lambda reason: self._ended(one, session)
            caller.join(half)

        await self._tunnels.open(one.known.name, one.port, opener, caller, joined)

    def _failed(self, failure: Failure, caller: Any) -> None:
        caller.close()
        if not failure.check(TunnelRefused, CancelledError):  # the refusal is an event already
            self.log.failure("A connection to an open port failed", failure)

    def _ended(self, one: _Open, session: Session) -> None:
        one.sessions.discard(session)
        sent, received = session.bytes
        one.sent += sent
        one.received += received

    def _note(self, kind: EventKind, one: _Open, text: str, actor: str, **data: Any) -> None:
        listening = {"port": one.port, "host": one.door.host, "listen_port": one.door.port}
        self._events.note(kind, actor, one.known.name, text, **listening, **data)
