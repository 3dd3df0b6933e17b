"""What there is to know of the server itself, and the phone's page More."""

from __future__ import annotations

from textwrap import wrap

from twisted.web.server import Request

from iotcenter.web.guard import page
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


class AboutPages:
    """Pages that only tell."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer

    @page("/more")
    async def more(self, request: Request, principal: Principal) -> str:
        """What does not fit into the phone's bar."""
        return self._renderer.render("more.html", principal, place="more")

    @page("/about")
    async def about(self, request: Request, principal: Principal) -> str:
        """Version, room, ports and certificates."""
        parts = self._parts
        return self._renderer.render(
            "about.html",
            principal,
            place="more",
            total=len(parts.center.devices.names()),
            disk=await parts.store.disk(),
            ports=parts.ports,
            own=parts.web_certificate.own,
            web_fingerprint=in_pairs(parts.web_certificate.fingerprint()),
            root_fingerprint=in_pairs(parts.authority.fingerprint.hex()),
        )


def in_pairs(digits: str) -> str:
    """Hexadecimal digits as browsers show fingerprints: ``3F:A1:...``."""
    return ":".join(wrap(digits.upper(), 2))
