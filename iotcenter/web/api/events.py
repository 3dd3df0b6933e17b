"""What happens, as a stream; and what happened, with who did it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from twisted.web.server import Request

from iotcenter.model import Event, Role
from iotcenter.storage.events import MOST_EVENTS, EventFilter
from iotcenter.web.api.tables import event_lines, event_titles
from iotcenter.web.api.taken import Taken, When, Word
from iotcenter.web.doors import Door
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.guard import API, api, stream
from iotcenter.web.paced import PacedWriter
from iotcenter.web.packing import may_pack
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal, find_principal
from iotcenter.web.when import parse_span, zone_named

PIECE = 500
"""Events that are fetched and made into CSV at once."""


class EventQuery(Taken, frozen=True):
    """Which events: at most ``limit``, older than the one with the id ``before``, of one kind, actor or object, between
    two times."""

    limit: Annotated[int, Meta(ge=1, le=MOST_EVENTS)] = 100
    before: Annotated[int, Meta(ge=1, le=2**63 - 1)] = 2**63 - 1
    kind: Word = ""
    actor: Word = ""
    object: Word = ""
    start: When = msgspec.field(name="from", default="0")
    end: When = msgspec.field(name="to", default="now")


class EventHandlers:
    """Streams what happens to whoever watches, and tells what happened."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @stream(f"{API}/events", role=Role.VIEWER, media="text/event-stream", failures=(429,))
    async def events(self, request: Request, principal: Principal, door: Door) -> None:
        """What happens, as server-sent events: ``snapshot`` first, then ``readings`` (at most one a second),
        ``presence``, ``device``, ``removed``, ``command``, ``log``, ``file``. Another ``snapshot`` means that something
        was missed."""
        request.setHeader("X-Accel-Buffering", "no")  # nginx would hold events back
        packed = may_pack(request, door)
        await self._parts.streams.serve(request, principal, lambda: find_principal(request, self._parts, door), packed)

    @api("/events/log", role=Role.OPERATOR)
    async def log(self, request: Request, principal: Principal, query: EventQuery) -> tuple[Event, ...]:
        """What happened, newest first: who signed in, gave which command, opened which tunnel, and the like."""
        return await self._parts.center.events.recent(query.limit, self._wanted(query, principal))

    @stream(f"{API}/events/log.csv", role=Role.OPERATOR, media="text/csv; charset=utf-8")
    async def csv(self, request: Request, principal: Principal, query: EventQuery) -> None:
        """The same as CSV, all that fit: times are ISO 8601 in the time zone of who asks."""
        wanted, zone = self._wanted(query, principal), zone_named(principal.time_zone)
        request.setHeader("Content-Disposition", 'attachment; filename="events.csv"')
        with PacedWriter(request, self._parts.reactor) as writer:
            await writer.write(event_titles())
            while events := await self._parts.center.events.recent(PIECE, wanted):
                await writer.write(event_lines(events, zone))
                wanted = msgspec.structs.replace(wanted, before=events[-1].id)

    def _wanted(self, query: EventQuery, principal: Principal) -> EventFilter:
        """What is asked for. Raises ``HTTPProblem`` for what is no time."""
        zone = zone_named(principal.time_zone)
        span, problems = parse_span(query.start, query.end, self._parts.clock.seconds(), zone)
        if span is None:
            words = "; ".join(f"{name} {problem}" for name, problem in problems.items())
            raise HTTPProblem(422, "invalid", words, problems)
        return EventFilter(query.before, query.kind, query.actor, query.object, *span)
