"""SSH to one device: the commands to copy, and ports that are opened for tools that cannot jump."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from twisted.web.server import Request

from iotcenter.center.errors import TunnelRefused
from iotcenter.identity.errors import Unfit
from iotcenter.identity.ssh_keys import fingerprint_of_line
from iotcenter.listening import CannotOpen
from iotcenter.model import Role
from iotcenter.storage.errors import NotFound
from iotcenter.web.doors import Door
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.guard import ID, Redirect, page
from iotcenter.web.jumping import Jumping
from iotcenter.web.pages.error import find_device
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal, Via
from iotcenter.web.ssh_config import known_hosts, ssh_config

LIFETIMES = {"600": "10 minutes", "3600": "1 hour", "14400": "4 hours", "86400": "1 day"}
"""How long a port may be opened for here, by seconds."""

DEFAULT_LIFETIME = "3600"

KNOWN_HOSTS = "~/.ssh/iotcenter_known_hosts"


class SshPages:
    """The page of a device's SSH. A port that cannot be opened shows it again, with the reason."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer
        self._jumping = Jumping(parts)

    @page("/devices/<name>/ssh", role=Role.OPERATOR)
    async def show(self, request: Request, principal: Principal, name: str, door: Door) -> str:
        """The ways to log in."""
        return await self._render(request, principal, door, name)

    @page("/devices/<name>/ssh", role=Role.OPERATOR, methods=("POST",))
    async def open(
        self, request: Request, principal: Principal, name: str, form: Mapping[str, str], door: Door
    ) -> str | Redirect:
        """Open a port of this server that leads to the device."""
        find_device(self._parts, name)
        lifetime = form.get("lifetime", "") if form.get("lifetime", "") in LIFETIMES else DEFAULT_LIFETIME
        try:
            self._jumping.open(principal, name, _port(form.get("port", "")), float(lifetime), None)
        except (TunnelRefused, CannotOpen, Unfit) as error:
            request.setResponseCode(409)
            return await self._render(request, principal, door, name, str(error))
        return Redirect(f"/devices/{name}/ssh#ports")

    @page(f"/devices/<name>/ssh/<{ID}:id>/close", role=Role.OPERATOR, methods=("POST",))
    async def close(self, request: Request, principal: Principal, name: str, id: int) -> Redirect:
        """Close a port; one that has closed by itself meanwhile is what was wanted."""
        find_device(self._parts, name)
        with suppress(NotFound):
            self._parts.center.open_ports.close(principal.actor, id=id, device=name)
        return Redirect(f"/devices/{name}/ssh#ports")

    async def _render(self, request: Request, principal: Principal, door: Door, name: str, problem: str = "") -> str:
        device = find_device(self._parts, name)
        context: dict[str, Any] = {"jump": None, "config": "", "known_hosts": "", "keys": ()}
        try:
            jump = self._jumping.jump(request, door, principal.name)
        except HTTPProblem:
            pass  # the gateway is off, which the page says
        else:
            one = [device] if device.ssh.ports else []
            context = {
                "jump": jump,
                "config": ssh_config(jump, one, KNOWN_HOSTS),
                "known_hosts": known_hosts(jump, one),
                "keys": await self._parts.ssh_keys.list(principal.name) if principal.via is Via.SESSION else (),
            }
        return self._renderer.render(
            "ssh.html",
            principal,
            place="devices",
            device=device,
            problem=problem,
            fingerprints=[(key.partition(" ")[0], _fingerprint(key)) for key in device.ssh.host_keys],
            open_ports=self._parts.center.open_ports.all(name),
            lifetimes=LIFETIMES,
            chosen=DEFAULT_LIFETIME,
            known_hosts_file=KNOWN_HOSTS,
            **context,
        )


def _fingerprint(key: str) -> str:
    """What a key that a device reported is called; the device may report anything."""
    try:
        return fingerprint_of_line(key)
    except ValueError:
        return "not a key"


def _port(text: str) -> int:
    """The port that somebody typed; 0, which is none, for what is no number."""
    return int(text) if re.fullmatch("[0-9]{1,5}", text) else 0
