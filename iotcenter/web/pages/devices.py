"""The list of devices: searched, filtered by state, sorted, page by page."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from twisted.web.server import Request

from iotcenter.model import PresenceState
from iotcenter.texts import N_
from iotcenter.web.guard import page
from iotcenter.web.pages.bookmarks import bookmark
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.pages.views import SORTS, counts, select
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal

COLUMNS = {
    "values": N_("Values"),
    "seen": N_("Last seen"),
    "address": N_("Address"),
    "agent": N_("Agent"),
    "transport": N_("Transport"),
    "received": N_("Readings"),
    "lost": N_("Lost"),
}
"""What people may choose to see of each device."""

USUAL = ("values", "seen", "address", "agent")
"""What they see who did not choose."""


class DevicesQuery(Struct, frozen=True):
    """What stands in the address: any view of the list can be kept as a bookmark. ``c`` are the columns, the usual
    ones where it is empty."""

    q: str = ""
    state: str = ""
    sort: str = "name"
    page: int = 1
    c: tuple[str, ...] = ()

    def known(self) -> DevicesQuery:
        """The same without what means nothing."""
        state = self.state if self.state in list(PresenceState) else ""
        chosen = tuple(column for column in COLUMNS if column in self.c)
        chosen = () if chosen == USUAL else chosen
        return msgspec.structs.replace(self, state=state, sort=self.sort if self.sort in SORTS else "name", c=chosen)

    @property
    def columns(self) -> tuple[str, ...]:
        """What is shown of each device besides its name and state."""
        return self.c or USUAL

    def link(self, **changes: str | int) -> str:
        """The address of this view with something else about it."""
        return bookmark("/devices", self, **changes)


class DevicesPages:
    """The page for those who have many devices."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer

    @page("/devices")
    async def show(self, request: Request, principal: Principal, query: DevicesQuery) -> str:
        """Those devices that fit."""
        devices = self._parts.center.devices
        briefs, query = devices.briefs(), query.known()
        selection = select(briefs, query.q, query.state, query.sort, query.page)
        return await self._renderer.render_in_turns(
            "devices.html",
            principal,
            place="devices",
            query=query,
            sorts=SORTS,
            columns=COLUMNS,
            total=len(briefs),
            counts=counts(briefs),
            selection=selection,
            devices=devices.some(selection.names).values(),
        )
