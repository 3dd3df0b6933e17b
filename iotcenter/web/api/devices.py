"""The devices themselves."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta
from twisted.web.server import Request

from iotcenter.model import Device, DeviceName, Interval, Noun, Role
from iotcenter.storage import arrivals
from iotcenter.storage.sql import seconds, seconds_or_none
from iotcenter.texts import _
from iotcenter.web.api.taken import Host, Taken, TokenLifetime
from iotcenter.web.api.udp import UdpKey
from iotcenter.web.doors import Door
from iotcenter.web.enrolling import Enrolling
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.guard import api
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal
from iotcenter.web.registering import Registering


class NewDevice(Taken, frozen=True):
    """A device to be. ``transport`` is ``tls``, ``udp``, ``udp-v1`` for a sketch of IotCenter 1, or ``registrar`` for
    one that shall register with a password.

    ``address`` is where it shall find this server; over TLS, ``lifetime`` is how many seconds its token works.
    """

    name: DeviceName
    transport: Literal["tls", "udp", "udp-v1", "registrar"] = "tls"
    lifetime: TokenLifetime | None = None
    address: Host | None = None


class DeviceChange(Taken, frozen=True):
    """What is to be another about a device: its name, or every how many seconds to expect to hear of it; 0: as often as
    it says itself. One at a time, since a name may be taken."""

    name: DeviceName | None = None
    expected: Interval | None = None


class AddedDevice(Noun, frozen=True, omit_defaults=False):
    """A device that was added, and the token that lets it in."""

    name: DeviceName
    id: str
    transport: str
    enrollment: int
    token: str
    line: str
    expires: float


class ExpectedDevice(Noun, frozen=True, omit_defaults=False):
    """A device that may register now. ``line`` is what to type on it, empty while the registrar is off."""

    name: DeviceName
    id: str
    transport: str
    line: str


class ArrivalsQuery(Taken, frozen=True):
    """How many runs, the newest first."""

    limit: Annotated[int, Meta(ge=1, le=arrivals.KEPT)] = 100


class Arrival(Noun, frozen=True, omit_defaults=False):
    """Readings ``first`` to ``last`` of ``boot`` came from ``since`` to ``until``, the newest measured at ``time``;
    ``late`` of them over a minute after they were measured. By ``clock_offset`` seconds the device's clock was ahead;
    null where it had none."""

    boot: int
    first: int
    last: int
    time: float
    since: float
    until: float
    clock_offset: float | None
    late: int


class DeviceHandlers:
    """Lists, adds, renames, bars and removes devices."""

    def __init__(self, parts: Parts) -> None:
        self._devices = parts.center.devices
        self._history = parts.center.history
        self._accounts = parts.accounts
        self._enrolling = Enrolling(parts)
        self._registering = Registering(parts)

    @api("/devices", role=Role.VIEWER)
    async def list(self, request: Request, principal: Principal) -> tuple[Device, ...]:
        """All devices, by name."""
        return self._devices.all()

    @api("/devices", role=Role.ADMIN, method="POST", status=201, failures=(409,))
    async def add(
        self, request: Request, principal: Principal, door: Door, body: NewDevice
    ) -> AddedDevice | UdpKey | ExpectedDevice:
        """Add a device, and give out the token that lets it in; over UDP, the key. One for the registrar needs neither:
        it registers with a password of its own."""
        if body.transport == "registrar":
            line = self._registering.line(body.name, request, door, body.address)
            row = await self._registering.add(body.name, principal.actor)
            return ExpectedDevice(row.name, row.id, row.transport, line)
        if body.transport != "tls":
            row, key = await self._accounts.add_udp(body.name, body.transport == "udp-v1", principal.actor)
            return UdpKey(row.name, row.id, key.hex())
        place = self._enrolling.place(request, door, body.address)
        row = await self._accounts.add(body.name, body.transport, principal.actor)
        issued = await self._enrolling.issue(place, body.name, body.lifetime, principal.actor)
        return AddedDevice(row.name, row.id, row.transport, issued.id, issued.token, issued.line, issued.expires)

    @api("/devices/<name>", role=Role.VIEWER, failures=(404,))
    async def show(self, request: Request, principal: Principal, name: str) -> Device:
        """One device, with its newest values."""
        return self._devices.get(name)

    @api("/devices/<name>/arrivals", role=Role.VIEWER, failures=(404,))
    async def arrivals(
        self, request: Request, principal: Principal, name: str, query: ArrivalsQuery
    ) -> tuple[Arrival, ...]:
        """When a device's readings came, as opposed to when they were measured: the last runs of reports that followed
        on one another, newest first."""
        return tuple(_arrival(run) for run in await self._history.arrivals(name, query.limit))

    @api("/devices/<name>", role=Role.ADMIN, method="PATCH", failures=(404, 409))
    async def change(self, request: Request, principal: Principal, name: str, body: DeviceChange) -> Device:
        """Rename a device, whose link, readings and certificate stay; or expect it more or less often."""
        if (body.name is None) == (body.expected is None):
            raise HTTPProblem(422, "invalid", _("either a name or what is expected is to be given"))
        if body.name is not None:
            return await self._devices.rename(name, body.name, principal.actor)
        return await self._devices.expect(name, body.expected or 0.0, principal.actor)

    @api("/devices/<name>", role=Role.ADMIN, method="DELETE", status=204, failures=(404,))
    async def remove(self, request: Request, principal: Principal, name: str) -> None:
        """Remove a device with all that it ever sent."""
        await self._devices.remove(name, principal.actor)

    @api("/devices/<name>/revoke", role=Role.ADMIN, method="POST", failures=(404,))
    async def revoke(self, request: Request, principal: Principal, name: str) -> Device:
        """Bar a device at once; its readings stay."""
        return await self._devices.revoke(name, principal.actor)


def _arrival(run: arrivals.Run) -> Arrival:
    return Arrival(
        boot=run.boot,
        first=run.first,
        last=run.last,
        time=seconds(run.time),
        since=seconds(run.since),
        until=seconds(run.until),
        clock_offset=seconds_or_none(run.clock),
        late=run.late,
    )
