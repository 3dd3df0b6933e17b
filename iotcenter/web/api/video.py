"""Live video of a device."""

from __future__ import annotations

from twisted.web.server import Request

from iotcenter.model import Role
from iotcenter.web.doors import Door
from iotcenter.web.guard import API, stream
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal, find_principal
from iotcenter.web.video import MEDIA, Videos


class VideoHandlers:
    """Shows what a device's camera sees."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._videos = Videos(parts.center, parts.reactor)

    @stream(f"{API}/devices/<name>/video", role=Role.VIEWER, media=MEDIA, failures=(404, 409, 429))
    async def show(self, request: Request, principal: Principal, name: str, door: Door) -> None:
        """Live video as Motion JPEG, for a device that offers it: one picture after the other, until either end has
        enough. All who watch share one stream from the device."""
        request.setHeader("Content-Security-Policy", "default-src 'none'; sandbox")
        await self._videos.serve(request, principal, name, lambda: find_principal(request, self._parts, door))
