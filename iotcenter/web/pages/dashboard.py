"""The dashboard: how many devices are well, and their newest values."""

from __future__ import annotations

from twisted.web.server import Request

from iotcenter.web.guard import page
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.pages.views import CARDS, PRIMARY, counts
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


class DashboardPages:
    """The page that one keeps open."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer

    @page("/")
    async def show(self, request: Request, principal: Principal) -> str:
        """All devices at a glance, as cards."""
        devices = self._parts.center.devices
        briefs = devices.briefs()
        return await self._renderer.render_in_turns(
            "dashboard.html",
            principal,
            place="dashboard",
            devices=devices.some(brief.name for brief in briefs[:CARDS]).values(),
            total=len(briefs),
            counts=counts(briefs),
            primary=PRIMARY,
        )
