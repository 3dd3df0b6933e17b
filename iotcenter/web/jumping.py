"""The SSH gateway as the pages and the API show it: how to reach it, and ports that are opened instead."""

from __future__ import annotations

import ipaddress

from twisted.web.server import Request

from iotcenter.center.trying import try_out
from iotcenter.center.tunnels import Opener
from iotcenter.identity.errors import Unfit
from iotcenter.model import OpenPort, Role
from iotcenter.texts import _
from iotcenter.web.addresses import Addresses
from iotcenter.web.doors import Door
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.hosts import parse_host
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal, Via, find_principal
from iotcenter.web.ssh_config import Jump
from iotcenter.web.visit import Visit

LOOPBACK = "127.0.0.1"


class Jumping:
    """Knows the gateway's address, and opens ports for those who cannot jump."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ports = parts.ports
        self._addresses = Addresses(parts)
        self._devices = parts.center.devices
        self._tunnels = parts.center.tunnels
        self._open_ports = parts.center.open_ports
        self._seconds = parts.clock.seconds

    def jump(self, request: Request, door: Door, user: str, host: str | None = None) -> Jump:
        """The gateway, at ``host`` or where whoever asks found the server. Raises ``HTTPProblem`` where it is off."""
        if self._ports.ssh is None:
            raise HTTPProblem(409, "ssh_off", _("the SSH gateway is off in the configuration"))
        return Jump(user, host or self._addresses.host(self._ports.ssh[0], request, door), *self._end())

    async def open(self, visit: Visit, device: str, port: int, lifetime: float, listen: str | None) -> OpenPort:
        """Open a port, on loopback unless ``listen`` (an address, a port, or both) says otherwise; no longer than the
        token lasts by which it is asked for. The device is asked first, so that a port is open only where it leads to
        something.

        Others than this machine can only be let in by an admin: whoever reaches such a port need not sign in.
        """
        host, number = _listening(listen or LOOPBACK)
        principal = _check(visit.principal, host)
        way = "the command line" if principal.via is Via.LOCAL else "the web"
        opener = Opener(principal.actor, way, principal.time_zone)
        self._devices.named(device)
        await try_out(self._tunnels, device, port, opener)
        principal = _check(await find_principal(visit.request, self._parts, visit.door), host)
        if principal.expires is not None:
            lifetime = min(lifetime, principal.expires - self._seconds())
        return self._open_ports.open(device, port, lifetime, opener, (host, number))

    def _end(self) -> tuple[int, str]:
        assert self._ports.ssh is not None
        return self._ports.ssh[1], self._ports.ssh_key


def _check(principal: Principal | None, host: str) -> Principal:
    """Whoever may open a port at ``host``. To be asked again when time has passed: their right may have ended, and what
    it had opened was closed by then. Raises ``HTTPProblem``."""
    if principal is None or not principal.role.covers(Role.OPERATOR):
        raise HTTPProblem(403, "role", _("a port takes the role %(role)s", role=_(Role.OPERATOR)))
    if not ipaddress.ip_address(host).is_loopback and not principal.role.covers(Role.ADMIN):
        words = _("a port that others can reach takes the role %(role)s", role=_(Role.ADMIN))
        raise HTTPProblem(403, "role", words)
    return principal


def _listening(text: str) -> tuple[str, int]:
    """``HOST``, ``PORT`` or ``HOST:PORT`` as an address and a number. Raises ``Unfit``."""
    if text.isdigit():
        text = f"{LOOPBACK}:{text}"
    host, port = parse_host(text) or ("", None)
    try:
        return str(ipaddress.ip_address(host.strip("[]"))), port or 0
    except ValueError:
        problem = "a port opens on an IP address (IPv6 in brackets), a port number, or both: 127.0.0.1:8081"
        raise Unfit("listen", problem) from None
