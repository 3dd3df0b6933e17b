"""SSH to one device: its section of the device's page, on a page of its own, and the ports that are opened there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress

from twisted.web.server import Request

from iotcenter.center.errors import TunnelRefused
from iotcenter.identity.errors import Unfit
from iotcenter.listening import CannotOpen
from iotcenter.model import Role
from iotcenter.storage.errors import NotFound
from iotcenter.web.doors import Door
from iotcenter.web.guard import ID, Redirect, page
from iotcenter.web.jumping import Jumping
from iotcenter.web.pages.error import find_device
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.pages.ssh_view import DEFAULT_LIFETIME, LIFETIMES, SshViews, Wanted
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal
from iotcenter.web.visit import Visit


class SshPages:
    """Opens and closes ports. One that cannot be opened is told of on a page of its own, with the form again."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer
        self._jumping = Jumping(parts)
        self._views = SshViews(parts)

    @page("/devices/<name>/ssh", role=Role.OPERATOR)
    async def show(self, request: Request, principal: Principal, name: str, door: Door) -> str:
        """The ways to log in."""
        return await self._render(Visit(request, principal, door), name, Wanted())

    @page("/devices/<name>/ssh", role=Role.OPERATOR, methods=("POST",))
    async def open(
        self, request: Request, principal: Principal, name: str, form: Mapping[str, str], door: Door
    ) -> str | Redirect:
        """Open a port of this server that leads to the device."""
        find_device(self._parts, name)
        port = form.get("port", "")
        lifetime = form.get("lifetime", "") if form.get("lifetime", "") in LIFETIMES else DEFAULT_LIFETIME
        visit = Visit(request, principal, door)
        try:
            await self._jumping.open(visit, name, _number(port), float(lifetime), None)
        except (TunnelRefused, CannotOpen, Unfit) as error:
            request.setResponseCode(409)
            return await self._render(visit, name, Wanted(port, lifetime, str(error)))
        return Redirect(f"/devices/{name}#ssh")

    @page(f"/devices/<name>/ssh/<{ID}:id>/close", role=Role.OPERATOR, methods=("POST",))
    async def close(self, request: Request, principal: Principal, name: str, id: int) -> Redirect:
        """Close a port; one that has closed by itself meanwhile is what was wanted."""
        find_device(self._parts, name)
        with suppress(NotFound):
            self._parts.center.open_ports.close(principal.actor, id=id, device=name)
        return Redirect(f"/devices/{name}#ssh")

    async def _render(self, visit: Visit, name: str, wanted: Wanted) -> str:
        device = find_device(self._parts, name)
        ssh = await self._views.view(visit, device, wanted)
        return self._renderer.render("ssh.html", visit.principal, place="devices", device=device, ssh=ssh)


def _number(text: str) -> int:
    """The port that somebody typed; 0, which is none, for what is no number."""
    return int(text) if re.fullmatch("[0-9]{1,5}", text) else 0
