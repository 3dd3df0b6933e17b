"""What happens, as a stream; and what happened, with who did it."""

from __future__ import annotations

from twisted.web.server import Request

from iotcenter.model import Event, Role
from iotcenter.web.api.schema import EventQuery
from iotcenter.web.doors import Door
from iotcenter.web.guard import API, api, stream
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal, find_principal


class EventHandlers:
    """Streams what happens to whoever watches, and tells what happened."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @stream(f"{API}/events", role=Role.VIEWER, media="text/event-stream", failures=(429,))
    async def events(self, request: Request, principal: Principal, door: Door) -> None:
        """What happens, as server-sent events: ``snapshot`` first, then ``readings`` (at most one a second),
        ``presence``, ``device``, ``removed``, ``command``, ``log``. Another ``snapshot`` means that something was
        missed."""
        request.setHeader("X-Accel-Buffering", "no")  # nginx would hold events back
        await self._parts.streams.serve(request, principal, lambda: find_principal(request, self._parts, door))

    @api("/events/log", role=Role.OPERATOR)
    async def log(self, request: Request, principal: Principal, query: EventQuery) -> tuple[Event, ...]:
        """What happened, newest first: who opened which tunnel, for how long, and the like."""
        return await self._parts.center.events.recent(query.limit, query.before, query.kind, query.actor, query.object)
