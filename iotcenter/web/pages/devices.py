"""The list of devices: searched, filtered by state, sorted, page by page."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from msgspec import Struct
from twisted.web.server import Request

from iotcenter.model import PresenceState
from iotcenter.web.guard import page
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.pages.views import SORTS, counts, select
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


class DevicesQuery(Struct, frozen=True):
    """What stands in the address: any view of the list can be kept as a bookmark."""

    q: str = ""
    state: str = ""
    sort: str = "name"
    page: int = 1

    def known(self) -> DevicesQuery:
        """The same without what means nothing."""
        state = self.state if self.state in list(PresenceState) else ""
        return msgspec.structs.replace(self, state=state, sort=self.sort if self.sort in SORTS else "name")

    def link(self, **changes: str | int) -> str:
        """The address of this view with something else about it."""
        fields = {**msgspec.structs.asdict(self), **changes}
        said = {name: value for name, value in fields.items() if value != getattr(_PLAIN, name)}
        return "/devices" + ("?" + urlencode(said) if said else "")


_PLAIN = DevicesQuery()


class DevicesPages:
    """The page for those who have many devices."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer

    @page("/devices")
    async def show(self, request: Request, principal: Principal, query: DevicesQuery) -> str:
        """Those devices that fit."""
        devices = self._parts.center.devices.all()
        query = query.known()
        return self._renderer.render(
            "devices.html",
            principal,
            place="devices",
            query=query,
            sorts=SORTS,
            total=len(devices),
            counts=counts(devices),
            selection=select(devices, query.q, query.state, query.sort, query.page),
        )
