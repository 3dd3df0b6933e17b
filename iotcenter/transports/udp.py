"""Devices over encrypted UDP: one socket, both versions, told apart by the first byte.

Nothing is kept of, and nothing said to, anybody who has not shown a key. What is dropped is counted, and the counts go
to the log once a minute.
"""

from __future__ import annotations

import random
import secrets
from typing import Any

from msgspec import Struct
from twisted.application.service import IService
from twisted.internet.task import LoopingCall
from twisted.plugin import IPlugin
from zope.interface import implementer

from iotcenter.center.keeper import Keeper
from iotcenter.interfaces import Attachment, House, ITransport
from iotcenter.listening import OFF, datagram_address, plain_address
from iotcenter.logs import LogLimit
from iotcenter.transports.udp_link import UdpLink
from iotcenter.transports.udp_socket import Arrived, UdpSocket
from iotcenter.transports.udp_version1 import FIRST_BYTE, Version1
from iotcenter.wire.udp.endpoint import Arrival, Endpoint
from iotcenter.wire.udp.keys import DeviceKeys
from iotcenter.wire.udp.server import ServerSession

LOOK_EVERY = 5.0
"""Seconds between two looks at who is silent."""

TELL_EVERY = 60.0
"""Seconds between two lines of log about what was dropped."""

PROVEN = (
    "It has proven version 2 of encrypted UDP, so its packets of version 1 are refused from now on. "
    "To allow them again: iotcenter device allow-v1 NAME"
)


class UdpSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[udp]``. ``v1`` is whether packets of version 1 are taken at all."""

    listen: str = "9999"
    v1: bool = True

    def __post_init__(self) -> None:
        if self.listen != OFF:
            datagram_address(self.listen)


@implementer(ITransport, IPlugin)
class UdpTransport:
    """The transport for microcontrollers, and for links where each byte costs."""

    name = "udp"
    settings = UdpSettings

    def makeService(self, settings: Struct, house: House) -> IService:
        """See ``ITransport``."""
        assert isinstance(settings, UdpSettings)
        return UdpService(settings, house)


class UdpService(UdpSocket):
    """The open port, and the links that came in by it: they end with the service."""

    def __init__(self, settings: UdpSettings, house: House) -> None:
        self.datagrams = Datagrams(house, self.send, settings.v1)
        super().__init__(house.reactor, datagram_address(settings.listen), self.datagrams.received)

    def take(self) -> None:
        """Begin: the devices are known now."""
        super().take()
        self.datagrams.start()

    def hold(self) -> None:
        """Take nothing in."""
        super().hold()
        self.datagrams.pause()

    def stopService(self) -> None:
        """End all links, and close the port."""
        self.datagrams.stop()
        super().stopService()


class Datagrams:
    """What comes in by the socket, and goes to the links of version 2 or to version 1. ``send`` is the way out."""

    def __init__(self, house: House, send: Any, version1: bool) -> None:
        self.house = house
        self.send = send
        self.now = house.reactor.seconds
        self._udp = house.accounts.udp
        self._keeper = Keeper(house.reactor.seconds)
        self._limit = LogLimit(house.reactor.seconds)
        self._links: dict[bytes, UdpLink] = {}
        self.endpoint = Endpoint(self._keys, house.clock.seconds, random.SystemRandom().random, secrets.token_bytes)
        self.version1 = Version1(self, version1)
        self._look = LoopingCall(self._look_around)
        self._look.clock = house.reactor
        self._told = 0.0
        self._counted = 0

    def start(self) -> None:
        """Begin to look who is silent; the devices that had sessions when the server was stopped are told."""
        if not self._look.running:
            self._told = self.now()
            self._look.start(LOOK_EVERY, now=False)
            for row in self._udp.former_sessions():
                self.endpoint.remember(bytes.fromhex(row.device), row.cid, (row.host, row.port))

    def pause(self) -> None:
        """Look no more."""
        if self._look.running:
            self._look.stop()

    def stop(self) -> None:
        """End all links."""
        for link in tuple(self._links.values()):
            link.stop()
        self._links.clear()
        self.version1.stop()

    def received(self, arrived: Arrived) -> None:
        """Datagrams came together. What fails on one is logged, and the next is taken: the reactor would close the port
        to everybody."""
        now, endpoint = self.now(), self.endpoint
        for datagram, address in arrived:
            try:
                if datagram.startswith(FIRST_BYTE):
                    self.version1.received(datagram, address)
                    continue
                arrival = endpoint.receive(datagram, address, now)
                if endpoint.answers:
                    self._answer()
                if arrival is not None:
                    self._arrived(arrival)
            except Exception:
                self._failed(f"A datagram of {plain_address(str(address[0]))}")
        self._hand_on()

    def _answer(self) -> None:
        answers, self.endpoint.answers = self.endpoint.answers, []
        for answer, where in answers:
            self.send(answer, where)

    def _arrived(self, arrival: Arrival) -> None:
        self._hand_on()
        if arrival.begun:
            self._begun(arrival.session, arrival.ended)
        self._links[arrival.session.cid].arrived(arrival.events)

    def _hand_on(self) -> None:
        """Give the center the reports that have gathered. One that fails there does not take the others with it."""
        if not self.endpoint.reports:
            return
        reports, self.endpoint.reports = self.endpoint.reports, []
        arrived: list[tuple[Attachment, Any, Any]] = []
        for session, report, packed in reports:
            link = self._links.get(session.cid)
            try:
                attachment = None if link is None else link.heard()
            except Exception:
                self._failed("A link")
                continue
            if attachment is not None:
                arrived.append((attachment, report, packed))
        try:
            self.house.center.reports(arrived)
        except Exception:
            for one in arrived:
                self._hand_on_alone(one)

    def _hand_on_alone(self, one: tuple[Attachment, Any, Any]) -> None:
        try:
            self.house.center.reports([one])
        except Exception:
            self._failed("A report")

    def _failed(self, what: str) -> None:
        if self._limit.allow():
            self.house.log.failure("{what} failed", what=what)

    def met(self, session: ServerSession) -> None:
        """A session is new, or its device is somewhere else now: that is kept, to tell it there after a restart."""
        device, cid, (host, port) = session.device.hex(), session.cid, session.address[:2]
        self._keeper.keep(device, lambda: self._udp.met(device, cid, host, port))

    def ended(self, link: UdpLink) -> None:
        """A link is no more."""
        self._links.pop(link.session.cid, None)
        self.endpoint.end(link.session, self.now())

    def complain(self, address: str, what: str) -> None:
        """Say in the log what was wrong, as long as the log is not flooded by it."""
        if self._limit.allow():
            self.house.log.warn("{address}: {what}", address=plain_address(address), what=what)

    def _begun(self, session: ServerSession, ended: ServerSession | None) -> None:
        old = self._links.pop(ended.cid, None) if ended is not None else None
        if old is not None:
            old.replaced()
        self._links[session.cid] = self._new_link(session)
        entry = self._udp.find(session.device)
        if entry is not None and entry.version1:
            entry.version1 = False
            self._keeper.keep((entry.device, "v1"), lambda: self._udp.prove_version2(entry))
            self.house.center.note(entry.device, PROVEN)
            self.house.log.info("{device} has proven version 2: version 1 is refused now", device=entry.device)

    def _new_link(self, session: ServerSession) -> UdpLink:
        try:
            return UdpLink(self, session)
        except Exception:
            self.endpoint.abandon(session)
            raise

    def _keys(self, device: bytes) -> DeviceKeys | None:
        entry = self._udp.find(device)
        return None if entry is None else entry.keys

    def _look_around(self) -> None:
        now = self.now()
        for link in tuple(self._links.values()):
            link.look(now)
        self.version1.look(now)
        if now - self._told >= TELL_EVERY:
            self._told = now
            self._tell()

    def _tell(self) -> None:
        """Say how many datagrams were dropped, and why; nothing while there are none."""
        refused = self.endpoint.refused + self.version1.refused
        total = refused.total()
        if total > self._counted:
            why = ", ".join(f"{count} {reason}" for reason, count in refused.most_common())
            new, self._counted = total - self._counted, total
            self.house.log.warn("{new} datagrams were dropped; since the start: {why}", new=new, why=why)
