"""The server itself: how it fares, and the way in for its first user."""

from __future__ import annotations

from collections import Counter

from twisted.web.server import Request

from iotcenter import __version__
from iotcenter.model import Noun, PresenceState, Role
from iotcenter.storage.forecast import Disk
from iotcenter.web.addresses import Addresses
from iotcenter.web.doors import Door
from iotcenter.web.guard import api
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


class Status(Noun, frozen=True, omit_defaults=False):
    """How the server fares. ``storage`` is ``ok``, or says why nothing can be stored; ``notices`` are what its operator
    should see to; ``disk`` is the room for readings in bytes, with a forecast in words; ``transports`` has the port of
    each way for devices to come in; ``fingerprint`` is of the web's certificate, ``authority`` of the root that devices
    trust, ``configuration`` the file that it was started with.
    ``backup`` is ``ok``, ``off``, or says why none could be made by itself."""

    version: str
    uptime: float
    devices: int
    online: int
    late: int
    offline: int
    event_streams: int
    storage: str
    transports: dict[str, int]
    disk: Disk
    notices: tuple[str, ...]
    address: str
    fingerprint: str
    authority: str
    configuration: str
    backup: str


class SetupLinkAnswer(Noun, frozen=True, omit_defaults=False):
    """Where the first user is made; it works once, within 24 hours."""

    link: str


class StatusHandlers:
    """Tells of the server, and makes setup links."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._addresses = Addresses(parts)
        self._started = parts.reactor.seconds()

    @api("/status", role=Role.VIEWER)
    async def status(self, request: Request, principal: Principal) -> Status:
        """How the server fares."""
        parts = self._parts
        states = Counter(device.state for device in parts.center.devices.briefs())
        return Status(
            version=__version__,
            uptime=parts.reactor.seconds() - self._started,
            devices=states.total(),
            online=states[PresenceState.ONLINE],
            late=states[PresenceState.LATE],
            offline=states[PresenceState.OFFLINE],
            event_streams=len(parts.streams),
            storage=str(parts.store.trouble or "ok"),
            transports={name: port for name, (_, port) in parts.ports.transports.items()},
            disk=await parts.store.disk(),
            notices=parts.store.notices,
            address=self._addresses.web(),
            fingerprint=parts.web_certificate.fingerprint(),
            authority=parts.authority.fingerprint.hex(),
            configuration=parts.configuration,
            backup=parts.backup_state(),
        )

    @api("/setup-link", role=Role.ADMIN, method="POST")
    async def setup_link(self, request: Request, principal: Principal, door: Door) -> SetupLinkAnswer:
        """A new one-time link that makes the first user; it replaces the former one. Refused where there are users."""
        secret = await self._parts.setup_link.issue()
        return SetupLinkAnswer(f"{self._addresses.web(request, door)}/setup?t={secret}")
