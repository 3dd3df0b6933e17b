"""The SSH gateway: what stands open through it, ports that are opened for a while, and what OpenSSH is told of it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from twisted.web.server import Request

from iotcenter.center import open_ports
from iotcenter.model import DeviceName, Noun, OpenPort, Port, Role
from iotcenter.web.api.taken import Taken
from iotcenter.web.doors import Door
from iotcenter.web.guard import ID, api
from iotcenter.web.jumping import Jumping
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal
from iotcenter.web.ssh_config import known_hosts, reachable, ssh_config
from iotcenter.web.visit import Visit


class NewTunnel(Taken, frozen=True):
    """A port of this server that shall lead to the ``port`` of a device for ``lifetime`` seconds. ``listen`` is an
    address, a port or both; without it a free port of loopback is taken."""

    port: Port = 22
    lifetime: Annotated[float, Meta(ge=1, le=open_ports.MAX_LIFETIME)] = 3600.0
    listen: Annotated[str, Meta(max_length=64)] | None = None


class TunnelQuery(Taken, frozen=True):
    """Which ports: those that lead to this port of the device; all without it."""

    port: Port | None = None


class TunnelSession(Noun, frozen=True, omit_defaults=False):
    """A tunnel that stands: ``actor`` reaches the ``port`` of a device by the ``way`` that is said in words.

    ``sent`` and ``received`` are bytes, to the device and from it.
    """

    device: DeviceName
    port: int
    actor: str
    way: str
    since: float
    sent: int
    received: int


class SshConfigQuery(Taken, frozen=True):
    """For whom, and where they find the server."""

    user: Annotated[str, Meta(pattern=r"^[a-z0-9._@-]{1,64}$(?!\n)")] | None = None
    host: Annotated[str, Meta(pattern=r"^[A-Za-z0-9.:-]{1,253}$(?!\n)")] | None = None


class SshConfig(Noun, frozen=True, omit_defaults=False):
    """``config`` is for ``ssh -F`` or an Include, ``known_hosts`` the file that it names, ``jump`` goes behind
    ``-J``."""

    config: str
    known_hosts: str
    jump: str


class TunnelHandlers:
    """Opens and closes ports, and tells who is connected to which device."""

    def __init__(self, parts: Parts) -> None:
        self._center = parts.center
        self._jumping = Jumping(parts)

    @api("/tunnels", role=Role.OPERATOR)
    async def sessions(self, request: Request, principal: Principal) -> tuple[TunnelSession, ...]:
        """The tunnels that stand now: SSH sessions, and connections to open ports."""
        return tuple(
            TunnelSession(one.device.name, one.port, one.opener.actor, one.opener.way, one.since, *one.bytes)
            for one in self._center.tunnels.sessions()
        )

    @api("/open-ports", role=Role.OPERATOR)
    async def ports(self, request: Request, principal: Principal) -> tuple[OpenPort, ...]:
        """The ports of this server that lead to devices now."""
        return self._center.open_ports.all()

    @api("/devices/<name>/open-ports", role=Role.OPERATOR, method="POST", status=201, failures=(404, 409))
    async def open(self, request: Request, principal: Principal, name: str, body: NewTunnel, door: Door) -> OpenPort:
        """Open a port of this server that leads to one of the device, where that answers; it closes by itself."""
        return await self._jumping.open(Visit(request, principal, door), name, body.port, body.lifetime, body.listen)

    @api("/devices/<name>/open-ports", role=Role.OPERATOR, method="DELETE", status=204, failures=(404,))
    async def close_all(self, request: Request, principal: Principal, name: str, query: TunnelQuery) -> None:
        """Close the ports that lead to a device, or to one port of it, with what goes through them."""
        self._center.open_ports.close(principal.actor, device=name, port=query.port)

    @api(f"/open-ports/<{ID}:id>", role=Role.OPERATOR, method="DELETE", status=204, failures=(404,))
    async def close(self, request: Request, principal: Principal, id: int) -> None:
        """Close one port, with what goes through it."""
        self._center.open_ports.close(principal.actor, id=id)

    @api("/ssh-config", role=Role.OPERATOR, failures=(409,))
    async def config(self, request: Request, principal: Principal, query: SshConfigQuery, door: Door) -> SshConfig:
        """What OpenSSH is told of this server and its devices, for ``user`` (or whoever asks), who find it at ``host``.

        ``{known_hosts}`` in it stands for the file that the second text is kept in.
        """
        jump = self._jumping.jump(request, door, query.user or principal.name, query.host)
        devices = reachable(self._center.devices.all())
        return SshConfig(ssh_config(jump, devices, "{known_hosts}"), known_hosts(jump, devices), jump.place)
