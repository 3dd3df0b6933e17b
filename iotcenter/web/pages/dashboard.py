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
        devices = self._parts.center.devices.all()
        return self._renderer.render(
            "dashboard.html",
            principal,
            place="dashboard",
            devices=devices[:CARDS],
            total=len(devices),
            counts=counts(devices),
            primary=PRIMARY,
        )
