"""What devices log."""

from __future__ import annotations

from twisted.web.server import Request

from iotcenter.center.subscribers import StoredLine
from iotcenter.model import Role
from iotcenter.web.api.schema import LogQuery
from iotcenter.web.guard import api
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


class LogHandlers:
    """Shows the lines that devices logged."""

    def __init__(self, parts: Parts) -> None:
        self._logs = parts.center.logs

    @api("/devices/<name>/logs", role=Role.VIEWER, failures=(404,))
    async def recent(
        self, request: Request, principal: Principal, name: str, query: LogQuery
    ) -> tuple[StoredLine, ...]:
        """The newest lines of a device's log, newest first."""
        return await self._logs.recent(name, query.limit, before=query.before, level=query.level)
