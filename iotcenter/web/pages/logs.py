"""What all devices log, side by side: for those who do not know yet where to look."""

from __future__ import annotations

import re
from typing import Annotated, Any

from msgspec import Meta, Struct
from twisted.web.server import Request

from iotcenter.model import LogLevel
from iotcenter.storage.logs import Place
from iotcenter.web.guard import page
from iotcenter.web.pages.bookmarks import bookmark
from iotcenter.web.pages.error import find_device
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal

SHOWN = 200
"""Lines on one page."""

PLACE = r"^(\d{1,18})\.([0-9a-f]{32})\.(\d{1,18})$(?!\n)"
"""How the place behind which to go on stands in an address."""


class LogsQuery(Struct, frozen=True):
    """Which lines to show: of a device or of all, from that level on, with that text, behind the place ``before``."""

    device: str = ""
    level: str = LogLevel.DEBUG
    text: Annotated[str, Meta(max_length=100)] = ""
    before: Annotated[str, Meta(pattern=PLACE)] | None = None

    @property
    def least(self) -> LogLevel:
        """The level from which on lines are shown: all, where what is asked for is none."""
        return LogLevel(self.level) if self.level in list(LogLevel) else LogLevel.DEBUG

    @property
    def place(self) -> Place | None:
        """Where to go on; None at the newest."""
        found = re.fullmatch(PLACE, self.before or "")
        return Place(int(found[1]), found[2], int(found[3])) if found else None

    def link(self, address: str = "/logs", **changes: Any) -> str:
        """This view with something else about it, or the same at another ``address``."""
        return bookmark(address, self, **changes)


class LogsPages:
    """The logs of all devices."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer

    @page("/logs")
    async def show(self, request: Request, principal: Principal, query: LogsQuery) -> str:
        """The newest lines that fit, and the way to older ones."""
        if query.device:
            find_device(self._parts, query.device)
        found = await self._parts.center.logs.of_all(SHOWN, query.place, query.least, query.text, query.device or None)
        return self._renderer.render(
            "logs.html",
            principal,
            place="more",
            query=query,
            devices=self._parts.center.devices.names(),
            levels=list(LogLevel),
            lines=found.lines[::-1],
            older=query.link(before=_in_address(found.older)) if found.older else "",
            download=query.link("/api/v1/logs.txt", before=None),
            any=query == LogsQuery(),
        )


def _in_address(place: Place) -> str:
    return f"{place.time}.{place.device}.{place.id}"
