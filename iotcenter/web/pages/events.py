"""Who did what, and when."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from twisted.web.server import Request

from iotcenter.model import EventKind, Role
from iotcenter.storage.events import LAST_ID, EventFilter
from iotcenter.texts import N_, _
from iotcenter.web.guard import page
from iotcenter.web.pages.bookmarks import bookmark
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.pages.times import TIMES
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal
from iotcenter.web.when import parse_span, zone_named

SHOWN = 100
"""Events on one page."""

KINDS = {
    EventKind.SIGNED_IN: N_("Signed in"),
    EventKind.SIGN_IN_REFUSED: N_("Sign-in refused"),
    EventKind.SIGNED_OUT: N_("Signed out"),
    EventKind.USER_ADDED: N_("User added"),
    EventKind.USER_CHANGED: N_("User changed"),
    EventKind.USER_REMOVED: N_("User removed"),
    EventKind.TOKEN_CREATED: N_("Token created"),
    EventKind.TOKEN_REMOVED: N_("Token removed"),
    EventKind.SERVER_CHANGED: N_("Setting changed"),
    EventKind.DEVICE_ADDED: N_("Device added"),
    EventKind.DEVICE_INVITED: N_("Device invited"),
    EventKind.DEVICE_RENAMED: N_("Device renamed"),
    EventKind.DEVICE_REVOKED: N_("Device revoked"),
    EventKind.DEVICE_WARNED: N_("Device under suspicion"),
    EventKind.DEVICE_CHANGED: N_("Device changed"),
    EventKind.FILE_REMOVED: N_("File deleted"),
    EventKind.DEVICE_REMOVED: N_("Device removed"),
    EventKind.COMMAND_GIVEN: N_("Command given"),
    EventKind.COMMAND_ENDED: N_("Command ended"),
    EventKind.TUNNEL_OPENED: N_("Tunnel opened"),
    EventKind.TUNNEL_CLOSED: N_("Tunnel closed"),
    EventKind.TUNNEL_REFUSED: N_("Tunnel refused"),
    EventKind.PORT_OPENED: N_("Port opened"),
    EventKind.PORT_CLOSED: N_("Port closed"),
    EventKind.KEY_ADDED: N_("SSH key added"),
    EventKind.KEY_REMOVED: N_("SSH key removed"),
}
"""What people call each kind."""


class EventsQuery(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """Which events to show; any view of them can be kept as a bookmark."""

    kind: str = ""
    actor: str = ""
    object: str = ""
    start: str = ""
    end: str = ""
    before: Annotated[int, Meta(ge=1, le=2**63 - 1)] = LAST_ID

    def link(self, address: str = "/events", **changes: Any) -> str:
        """This view with something else about it, or the same of another ``address``."""
        return bookmark(address, self, **changes)


class EventPages:
    """The page for those who want to know how something came about."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer

    @page("/events", role=Role.OPERATOR)
    async def show(self, request: Request, principal: Principal, query: EventsQuery) -> str:
        """The newest events that fit, and the way to older ones."""
        zone, now = zone_named(principal.time_zone), self._parts.clock.seconds()
        span, problems = parse_span(query.start or "0", query.end or "now", now + 1, zone)
        wanted = EventFilter(query.before, query.kind, query.actor.strip(), query.object.strip(), *(span or ()))
        found = () if span is None else await self._parts.center.events.recent(SHOWN + 1, wanted)
        return self._renderer.render(
            "events.html",
            principal,
            place="events",
            query=query,
            kinds=KINDS,
            events=found[:SHOWN],
            older=query.link(before=found[SHOWN - 1].id) if len(found) > SHOWN else "",
            csv=query.link("/api/v1/events/log.csv", before=LAST_ID),
            any=query == EventsQuery(before=query.before),
            problems=dict.fromkeys(problems, _(TIMES)),
        )
