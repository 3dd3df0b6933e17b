"""What devices log."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Annotated

from msgspec import Meta
from twisted.web.server import Request

from iotcenter.center.logs import MAX_LINES
from iotcenter.center.subscribers import StoredLine
from iotcenter.model import DeviceName, LogLevel, Role
from iotcenter.storage.logs import DeviceLine
from iotcenter.web.api.taken import Taken
from iotcenter.web.guard import API, api, stream
from iotcenter.web.paced import PacedWriter
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal
from iotcenter.web.when import zone_named

PIECE = 500
"""Lines that are fetched and written at once."""


class LogQuery(Taken, frozen=True):
    """Which lines: at most ``limit``, of ``level`` or graver, from the one before the id ``before`` on."""

    limit: Annotated[int, Meta(ge=1, le=MAX_LINES)] = 100
    before: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    level: LogLevel = LogLevel.DEBUG


class LogsQuery(Taken, frozen=True):
    """Which lines of all devices' logs, or of one: of ``level`` or graver, with ``text`` in them."""

    device: DeviceName | None = None
    level: LogLevel = LogLevel.DEBUG
    text: Annotated[str, Meta(max_length=100)] = ""


class LogHandlers:
    """Shows the lines that devices logged."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._logs = parts.center.logs

    @api("/devices/<name>/logs", role=Role.VIEWER, failures=(404,))
    async def recent(
        self, request: Request, principal: Principal, name: str, query: LogQuery
    ) -> tuple[StoredLine, ...]:
        """The newest lines of a device's log, newest first."""
        return await self._logs.recent(name, query.limit, before=query.before, level=query.level)

    @stream(f"{API}/logs.txt", role=Role.VIEWER, media="text/plain; charset=utf-8", failures=(404,))
    async def download(self, request: Request, principal: Principal, query: LogsQuery) -> None:
        """The lines of all devices, or of one, newest first, as text: time in the zone of who asks, device, level,
        line."""
        zone = zone_named(principal.time_zone)
        found = await self._logs.of_all(PIECE, None, query.level, query.text, query.device)
        request.setHeader("Content-Disposition", 'attachment; filename="log.txt"')
        with PacedWriter(request, self._parts.reactor) as writer:
            while True:
                await writer.write("".join(_written(one, zone) for one in found.lines).encode())
                if found.older is None:
                    return
                found = await self._logs.of_all(PIECE, found.older, query.level, query.text, query.device)


def _written(one: DeviceLine, zone: tzinfo) -> str:
    """A line as text: one line, whatever is in it, and nothing that a terminal would obey."""
    time = datetime.fromtimestamp(one.line.time, zone).isoformat(timespec="milliseconds")
    text = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in one.line.text)
    return f"{time} {one.device} {one.line.level} {text}\n"
