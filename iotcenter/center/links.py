"""The links that stand open: one per device, the newest wins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from iotcenter import __version__
from iotcenter.center.devices import Devices
from iotcenter.center.keeper import Keeper
from iotcenter.center.known import KnownDevice
from iotcenter.center.lengths import in_words
from iotcenter.center.readings import Arrived
from iotcenter.center.subscribers import PresenceEvent, Subscribers
from iotcenter.interfaces import Clock, Link, Refused
from iotcenter.logs import LogLimit, activity
from iotcenter.model import DeviceId, Message
from iotcenter.storage.devices import Offer
from iotcenter.storage.store import Store
from iotcenter.wire.codec import DamagedReport
from iotcenter.wire.errors import WireError
from iotcenter.wire.messages import CloseCode, Hello, Report, Welcome

_activity = activity()

Handler = Callable[["DeviceLink", Any], None]

TakeReports = Callable[[Sequence[Arrived]], None]

LOOK_EVERY = 1.0
"""Seconds between two looks at who is late."""

NOTE_EVERY = 60.0
"""Seconds between two times that it is written down when linked devices were last seen."""

JUMP = 30.0
"""Seconds between what passed and what the clock says that make it one that was set, and not a busy server."""


class DeviceLink:
    """One link of one device. What it receives goes to the handler for its type of message."""

    def __init__(self, known: KnownDevice, link: Link, links: Links) -> None:
        self.known = known
        self.link = link
        self.takes_any = False
        """Whether commands that the device did not offer are sent to it."""
        self._links = links

    @property
    def current(self) -> bool:
        """Whether this is still the device's link."""
        return self.known.attachment is self

    def received(self, message: Message) -> None:
        """Hand ``message`` on. Raises ``WireError`` for types that devices have no business to send."""
        handler = self._links.handlers.get(type(message))
        if handler is None:
            raise WireError(f"a device does not send {type(message).__name__}")
        self.known.last_seen = self._links.clock.seconds()
        handler(self, message)

    def reports(self, reports: Sequence[Report | DamagedReport], bodies: Sequence[bytes]) -> None:
        """Hand on reports that came together."""
        self._links.take_reports([(self, reports, bodies)])

    def detached(self, reason: str) -> None:
        """The link is gone."""
        if self.current:
            self._links.detach(self, reason)

    def listening(self) -> None:
        """See ``iotcenter.interfaces.Attachment``."""
        if self.current:
            self._links.listening(self)

    def undelivered(self, commands: Collection[int]) -> None:
        """See ``iotcenter.interfaces.Attachment``."""
        if self.current:
            self._links.undelivered(self, commands)

    def takes_any_command(self) -> None:
        """See ``iotcenter.interfaces.Attachment``."""
        self.takes_any = True


class Links:
    """Joins devices' links to what the rest of the center does with their messages.

    ``handlers`` says which part takes which type of message, and ``take_reports`` takes reports that came together;
    ``joined`` and ``parted`` are told of each device that came and went.
    """

    log = Logger()

    def __init__(self, store: Store, devices: Devices, subscribers: Subscribers, clock: Clock, files: int = 0) -> None:
        """``files`` is how many bytes a file may have that devices send; 0: none are taken."""
        self.clock = clock
        self._files = files
        self.handlers: Mapping[type, Handler] = {}
        self.take_reports: TakeReports = lambda *_: None
        self.joined: Callable[[DeviceLink], None] = lambda _: None
        self.parted: Callable[[DeviceLink], None] = lambda _: None
        self.listening: Callable[[DeviceLink], None] = lambda _: None
        self.undelivered: Callable[[DeviceLink, Collection[int]], None] = lambda *_: None
        self._store = store
        self._devices = devices
        self._subscribers = subscribers
        self._look: Any = None
        self._looked = self._noted = clock.seconds()
        self._keeper = Keeper(clock.seconds)
        self._limit = LogLimit(clock.seconds, most=600)

    def start(self) -> None:
        """Begin to look who is late."""
        self._looked = self.clock.seconds()
        self._look = self.clock.callLater(LOOK_EVERY, self._look_around)

    def stop(self) -> None:
        """Stop looking."""
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def attach(self, device: DeviceId, link: Link, hello: Hello | None) -> DeviceLink:
        """Make ``link`` the way to ``device``. Raises ``Refused`` where the center does not know it."""
        known = self._devices.find(device)
        if known is None or known.revoked:
            raise Refused("this device is not known here")
        old, attachment = known.attachment, DeviceLink(known, link, self)
        known.attachment = attachment
        known.connected_since = known.last_seen = self.clock.seconds()
        known.attendance.came(known.last_seen)
        known.address = link.address
        known.transport = link.transport
        if old is not None:
            old.link.close(CloseCode.REPLACED, "the device opened a newer link")
        agent, now = f"iotcenter/{__version__}", self.clock.seconds()
        link.send(Welcome(known.name, known.id, now, link.heartbeat, agent, self._files))
        if hello is not None:
            self.offered(attachment, hello)
        self._say(
            "{name} is here, from {address} over {transport}",
            name=known.name,
            address=link.address,
            transport=link.transport,
        )
        self._note(known)
        self._tell(known)
        self.joined(attachment)
        return attachment

    def offered(self, attachment: DeviceLink, hello: Hello) -> None:
        """The device said what it offers, at first or anew."""
        known = attachment.known
        before = _said(known)
        known.offer(hello.series, hello.commands, hello.ssh)
        known.video = hello.video
        known.app, known.app_detail, known.agent = hello.app, hello.app_detail, hello.agent
        if known.lost.say(hello.lost):
            self._keeper.keep((known.id, "lost"), lambda: self._write_lost(known))
        if before != _said(known):
            self._keeper.keep((known.id, "offer"), lambda: self._write_offer(known))
            self._devices.announce(known)

    def detach(self, attachment: DeviceLink, reason: str) -> None:
        """The device's link is gone."""
        known = attachment.known
        known.attachment = None
        known.connected_since = None
        known.attendance.went(self.clock.seconds())
        self._say("{name} is gone: {reason}", name=known.name, reason=reason)
        self._note(known)
        self._tell(known)
        self.parted(attachment)

    def _tell(self, known: KnownDevice) -> None:
        known.state, reason = known.judge(self.clock.seconds())
        self._subscribers.publish(PresenceEvent(known.name, known.state, reason, known.last_seen))

    def _look_around(self) -> None:
        now = self.clock.seconds()
        self._look = self.clock.callLater(LOOK_EVERY, self._look_around)
        self._notice_jump(now - self._looked - LOOK_EVERY)
        self._looked = now
        note, self._noted = (True, now) if now - self._noted >= NOTE_EVERY else (False, self._noted)
        for known in self._devices.linked():
            if known.judge(now)[0] is not known.state:
                self._tell(known)
            if note:
                self._note(known)

    def _notice_jump(self, jump: float) -> None:
        """Nobody is late because the clock was set: what is known of the links that stand moves along with it."""
        if abs(jump) < JUMP:
            return
        self.log.warn(
            "The clock was set {way} by {jump}", way="forward" if jump > 0 else "back", jump=in_words(abs(jump))
        )
        self._noted += jump
        for known in self._devices.linked():
            known.shift(jump)

    def _note(self, known: KnownDevice) -> None:
        seen = known.last_seen or known.created
        known.attendance.note(self.clock.seconds())
        here = known.attendance.pack()
        self._keeper.keep((known.id, "seen"), lambda: self._store.devices.seen(known.id, seen, known.address, here))

    def _write_lost(self, known: KnownDevice) -> Deferred[None]:
        return self._store.readings.set_lost(known.id, known.lost.total, known.lost.told)

    def _write_offer(self, known: KnownDevice) -> Deferred[None]:
        return self._store.devices.offered(known.id, known.agent, Offer(known.series, known.commands, known.ssh))

    def _say(self, text: str, **parts: Any) -> None:
        """A line for the log, unless devices come and go so fast that it would be full of them."""
        if self._limit.allow():
            _activity.info(text, **parts)


def _said(known: KnownDevice) -> tuple[object, ...]:
    """What of a device its greetings may change."""
    return known.series, known.commands, known.ssh, known.video, known.app, known.app_detail, known.agent
