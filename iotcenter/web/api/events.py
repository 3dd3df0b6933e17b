"""The event stream."""

from __future__ import annotations

from twisted.web.server import Request

from iotcenter.model import Role
from iotcenter.web.doors import Door
from iotcenter.web.guard import API, stream
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal, find_principal


class EventHandlers:
    """Streams what happens to whoever watches."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @stream(f"{API}/events", role=Role.VIEWER, media="text/event-stream", failures=(429,))
    async def events(self, request: Request, principal: Principal, door: Door) -> None:
        """What happens, as server-sent events: ``snapshot`` first, then ``readings`` (at most one a second),
        ``presence``, ``device``, ``removed``, ``command``, ``log``. Another ``snapshot`` means that something was
        missed."""
        request.setHeader("X-Accel-Buffering", "no")  # nginx would hold events back
        await self._parts.streams.serve(request, principal, lambda: find_principal(request, self._parts, door))
