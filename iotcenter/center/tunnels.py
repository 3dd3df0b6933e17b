"""Tunnels to devices: asked for here, dialled back by the device, and joined."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred

from iotcenter.center.devices import Devices
from iotcenter.center.errors import TunnelRefused, UnknownDevice
from iotcenter.center.events import Events
from iotcenter.center.known import KnownDevice
from iotcenter.center.lengths import in_words
from iotcenter.center.links import DeviceLink
from iotcenter.center.tunnel_words import cannot_reach
from iotcenter.interfaces import Clock, Refused
from iotcenter.logs import LogLimit
from iotcenter.model import DeviceId, EventKind
from iotcenter.wire.joint import Half, Joint, Side
from iotcenter.wire.messages import Tunnel, TunnelAction

DIAL_WITHIN = 10.0
"""Seconds for which an id is good: a device on a slow mobile network needs four round trips for TCP, TLS and the id."""

MOST = 500
"""The most tunnels at once, asked for, open, or over but not empty: where both ends of all of them are slow, each
holds some 300 kB in the buffers of its connections, besides what its client was let send ahead."""

MOST_OF_DEVICE = 100
"""The same to one device, which refuses more."""

MOST_OF_ACTOR = 200
"""The same for one user: a parallel copy to a fleet fits."""

LOOK_EVERY = 5.0
"""Seconds between two looks for tunnels that are idle or too old."""

MOST_REFUSALS = 60
"""Refusals that are written down in a minute. Being refused costs nothing, and the oldest events make way: who tries
ten thousand times a second would have all that is known of before forgotten within seconds."""

MAX_REASON = 200
"""Characters of a device's reason that are passed on."""


class Opener(NamedTuple):
    """Who asks for a tunnel: ``actor`` for the records, ``way`` how they came, ``zone`` the zone of their times."""

    actor: str
    way: str
    zone: str = "UTC"


class Limits(NamedTuple):
    """For how many seconds nothing may move in a tunnel, and how old one may become."""

    idle: float
    life: float


DEFAULT_LIMITS = Limits(12 * 3600.0, 7 * 86400.0)
"""A terminal that was forgotten overnight is there in the morning, and gone after a day; nothing lasts for ever."""


class Session:
    """A tunnel, from the asking on. ``ended`` is called with the reason when it is over, ``released`` when both its
    ends are gone as well: until then they may hold what nobody reads.

    ``age`` and ``idle`` count seconds, in steps of ``LOOK_EVERY``: they go by no clock that somebody may set.
    """

    def __init__(self, device: KnownDevice, port: int, opener: Opener, since: float) -> None:
        self.device = device
        self.port = port
        self.opener = opener
        self.since = since
        self.ended: Callable[[str], None] = lambda _: None
        self.released: Callable[[], None] = lambda: None
        self.joint: Joint | None = None
        self.moved = 0
        self.age = self.idle = 0.0

    @property
    def bytes(self) -> tuple[int, int]:
        """How many bytes went to the device, and how many came from it."""
        return (self.joint.near.count, self.joint.far.count) if self.joint is not None else (0, 0)

    def look(self) -> None:
        """A step of time has passed."""
        moved = sum(self.bytes)
        self.age += LOOK_EVERY
        self.idle = self.idle + LOOK_EVERY if moved == self.moved else 0.0
        self.moved = moved

    def cut(self, reason: str) -> None:
        """End it now."""
        if self.joint is not None:
            self.joint.cut(reason)


class Waiting(NamedTuple):
    """A tunnel that the device was asked for: ``near`` is the side that is here, ``met`` fires when it dialled back."""

    session: Session
    near: Side
    met: Deferred[Half]


class Tunnels:
    """All tunnels. ``open`` asks the device; the transport calls ``meet`` with the connection that it dials back."""

    def __init__(self, devices: Devices, events: Events, clock: Clock, limits: Limits) -> None:
        self._devices = devices
        self._events = events
        self._clock = clock
        self._limits = limits
        self._refusals = LogLimit(clock.seconds, MOST_REFUSALS)
        self._waiting: dict[bytes, Waiting] = {}
        self._sessions: set[Session] = set()
        self._by_device: Counter[DeviceId] = Counter()
        self._by_actor: Counter[str] = Counter()
        self._look: Any = None

    def start(self) -> None:
        """Begin to look for tunnels that are idle or too old."""
        self._look = self._clock.callLater(LOOK_EVERY, self._look_around)

    def stop(self) -> None:
        """End all tunnels, and look no more."""
        if self._look is not None:
            self._look.cancel()
            self._look = None
        for id in tuple(self._waiting):
            self._fail(id, "the server is stopping")
        for session in self.sessions():
            session.cut("the server is stopping")

    def sessions(self, device: str | None = None) -> tuple[Session, ...]:
        """The tunnels that stand, those to one device if it is named; oldest first."""
        found = (one for one in self._sessions if device is None or one.device.name == device)
        return tuple(sorted(found, key=lambda one: one.since))

    async def open(
        self, name: str, port: int, opener: Opener, near: Side, ready: Callable[[Session, Half], None]
    ) -> None:
        """Join ``near`` to the device's ``port``.

        ``ready`` is called in the turn in which that is done, before anything comes. Cancelling gives the tunnel up.
        Raises ``TunnelRefused`` with the reason.
        """
        try:
            known = self._reachable(name, port, opener)
        except TunnelRefused as refusal:
            self._note_refusal(opener, name[:63], port, refusal)
            raise
        session = Session(known, port, opener, self._clock.seconds())
        id = secrets.token_bytes(16)
        self._waiting[id] = waiting = Waiting(session, near, Deferred())
        waiting.met.addCallback(lambda half: ready(session, half))
        self._count(session, 1)
        late = f"{known.name} did not dial back within {DIAL_WITHIN:g} s: its network may be slow, or block the way"
        timer = self._clock.callLater(DIAL_WITHIN, self._fail, id, late)
        try:
            known.attachment.link.send(Tunnel(id, TunnelAction.OPEN, port))
            await waiting.met
        except TunnelRefused as refusal:
            self._note_refusal(opener, known.name, port, refusal)
            raise
        finally:
            if timer.active():
                timer.cancel()
            if session.joint is None:
                self._give_up(id, session)

    def meet(self, device: DeviceId, id: bytes, far: Side) -> Callable[[], Half]:
        """The device dialled back with ``id``. Returns what joins it, to be called once ``far`` can be written to.

        Raises ``Refused`` where nobody waits for that.
        """
        waiting = self._waiting.get(id)
        if waiting is None or waiting.session.device.id != device:
            raise Refused("nobody waits for that tunnel (any more)")
        del self._waiting[id]
        return lambda: self._join(waiting, far)

    def answered(self, link: DeviceLink, message: Tunnel) -> None:
        """A device says that it cannot open a tunnel."""
        waiting = self._waiting.get(message.id)
        if message.action is TunnelAction.CLOSE and waiting and waiting.session.device is link.known:
            reason = "".join(filter(str.isprintable, message.reason))[:MAX_REASON]
            self._fail(message.id, reason or f"{link.known.name} refused, and did not say why")

    def parted(self, link: DeviceLink) -> None:
        """A device's link is gone: it will not hear what it was asked for."""
        for id, waiting in tuple(self._waiting.items()):
            if waiting.session.device is link.known:
                self._fail(id, f"{link.known.name} has just gone offline: try again in a moment")

    def _reachable(self, name: str, port: int, opener: Opener) -> KnownDevice:
        try:
            known = self._devices.named(name)
        except UnknownDevice:
            raise TunnelRefused("only devices can be reached here, by their names, and none has that name") from None
        reason = cannot_reach(known, port, self._clock.seconds(), opener.zone)
        if not reason and self._by_device[known.id] >= MOST_OF_DEVICE:
            reason = f"{MOST_OF_DEVICE} tunnels to {known.name} are open already: close some first"
        if not reason and self._by_actor[opener.actor] >= MOST_OF_ACTOR:
            reason = f"{opener.actor} has {MOST_OF_ACTOR} tunnels open already: close some first"
        if not reason and self._by_device.total() >= MOST:
            reason = f"{MOST} tunnels are open on this server already: try again later"
        if reason:
            raise TunnelRefused(reason)
        return known

    def _note_refusal(self, opener: Opener, name: str, port: int, refusal: TunnelRefused) -> None:
        if self._refusals.allow():
            skipped = self._refusals.skipped()
            text = f"{refusal} ({skipped} more were not written down)" if skipped else str(refusal)
            self._events.note(EventKind.TUNNEL_REFUSED, opener.actor, name, text, port=port, way=opener.way)

    def _join(self, waiting: Waiting, far: Side) -> Half:
        session = waiting.session
        session.joint = joint = Joint(
            waiting.near, far, lambda reason: self._ended(session, reason), lambda: self._released(session)
        )
        session.since = self._clock.seconds()
        self._sessions.add(session)
        name, port, opener = session.device.name, session.port, session.opener
        text = f"{opener.actor} opened a tunnel to port {port} of {name} ({opener.way})"
        self._events.note(EventKind.TUNNEL_OPENED, opener.actor, name, text, port=port, way=opener.way)
        waiting.met.callback(joint.near)
        return joint.far

    def _ended(self, session: Session, reason: str) -> None:
        self._sessions.discard(session)
        lasted, (up, down) = max(0.0, self._clock.seconds() - session.since), session.bytes
        text = f"{session.opener.actor}'s tunnel to port {session.port} ended after {in_words(int(lasted))}: {reason}"
        facts = {"seconds": round(lasted, 1), "sent": up, "received": down, "reason": reason}
        opener, name = session.opener, session.device.name
        self._events.note(EventKind.TUNNEL_CLOSED, opener.actor, name, text, port=session.port, way=opener.way, **facts)
        session.ended(reason)

    def _released(self, session: Session) -> None:
        """Only now there is room for another: who closes what nobody reads would have any number of them otherwise."""
        self._count(session, -1)
        session.released()

    def _fail(self, id: bytes, reason: str) -> None:
        waiting = self._waiting.pop(id, None)
        if waiting is not None:
            self._take_back(id, waiting.session, reason)
            waiting.met.errback(TunnelRefused(reason))

    def _give_up(self, id: bytes, session: Session) -> None:
        """It came to nothing; where that is not the device's doing, it is told to dial no more."""
        self._count(session, -1)
        if self._waiting.pop(id, None) is not None:
            self._take_back(id, session, "it is not wanted any more")

    def _take_back(self, id: bytes, session: Session, reason: str) -> None:
        if session.device.attachment is not None:
            session.device.attachment.link.send(Tunnel(id, TunnelAction.CLOSE, 0, reason))

    def _count(self, session: Session, by: int) -> None:
        for counter, key in ((self._by_device, session.device.id), (self._by_actor, session.opener.actor)):
            counter[key] += by
            if not counter[key]:
                del counter[key]

    def _look_around(self) -> None:
        self._look = self._clock.callLater(LOOK_EVERY, self._look_around)
        for session in self.sessions():
            session.look()
            if session.idle > self._limits.idle:
                session.cut(f"nothing moved in it for {in_words(self._limits.idle)}")
            elif session.age > self._limits.life:
                session.cut(f"a tunnel may be open for {in_words(self._limits.life)}")
