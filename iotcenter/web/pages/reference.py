"""What there is to know of the API, made of its own document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.web.server import Request

from iotcenter.texts import N_
from iotcenter.web.addresses import Addresses
from iotcenter.web.api.reference import operations, structs
from iotcenter.web.doors import Door
from iotcenter.web.guard import page
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal

GROUPS = {
    "command": N_("Commands"),
    "device": N_("Devices"),
    "enrollment": N_("Enrollment"),
    "event": N_("Events"),
    "file": N_("Photos and files"),
    "import": N_("Import"),
    "log": N_("Logs"),
    "reading": N_("Readings"),
    "registration": N_("Registrar"),
    "retention": N_("Retention"),
    "sshkey": N_("SSH keys"),
    "status": N_("Server"),
    "token": N_("API tokens"),
    "tunnel": N_("Tunnels"),
    "udp": N_("Encrypted UDP"),
    "user": N_("Users"),
    "video": N_("Live video"),
}
"""What the parts of the API are called."""


class ReferencePages:
    """For those who write programs."""

    def __init__(self, parts: Parts, renderer: Renderer, document: Callable[[], dict[str, Any]]) -> None:
        self._addresses = Addresses(parts)
        self._renderer = renderer
        self._document = document

    @page("/api")
    async def show(self, request: Request, principal: Principal, door: Door) -> str:
        """All operations and structs."""
        document = self._document()
        return await self._renderer.render_in_turns(
            "reference.html",
            principal,
            place="more",
            groups=operations(document),
            titles=GROUPS,
            structs=structs(document),
            address=self._addresses.web(request, door),
        )
