"""Photos and other files that devices sent."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from twisted.web.server import Request

from iotcenter.center.subscribers import StoredFile
from iotcenter.model import Role
from iotcenter.storage.file_rows import MOST_IN_ANSWER
from iotcenter.web.api.taken import Taken
from iotcenter.web.content import serve_content
from iotcenter.web.guard import API, ID, api, stream
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


class FileQuery(Taken, frozen=True):
    """Which files: at most ``limit``, from the one before the id ``before`` on; with ``photos``, only pictures."""

    limit: Annotated[int, Meta(ge=1, le=MOST_IN_ANSWER)] = 100
    before: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    photos: bool = False


class FilesKept(Taken, frozen=True):
    """How many files of a device are kept, the newest; null: as many as the configuration says."""

    keep: Annotated[int, Meta(ge=1, le=10_000)] | None


class FileHandlers:
    """Lists, shows and deletes what devices sent."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._files = parts.center.files

    @api("/devices/<name>/files", role=Role.VIEWER, failures=(404,))
    async def recent(
        self, request: Request, principal: Principal, name: str, query: FileQuery
    ) -> tuple[StoredFile, ...]:
        """The newest photos and other files of a device, newest first."""
        return await self._files.recent(name, query.limit, query.before, query.photos)

    @stream(
        f"{API}/devices/<name>/files/<{ID}:id>", role=Role.VIEWER, media="application/octet-stream", failures=(404,)
    )
    async def show(self, request: Request, principal: Principal, name: str, id: int) -> None:
        """What is in a file: a picture by its media type, everything else as a download."""
        await serve_content(request, self._parts, await self._files.get(name, id))

    @api(f"/devices/<name>/files/<{ID}:id>", role=Role.OPERATOR, method="DELETE", status=204, failures=(404,))
    async def remove(self, request: Request, principal: Principal, name: str, id: int) -> None:
        """Delete a file."""
        await self._files.remove(name, id, principal.actor)

    @api("/devices/<name>/files", role=Role.OPERATOR, method="PATCH", status=204, failures=(404,))
    async def keep(self, request: Request, principal: Principal, name: str, body: FilesKept) -> None:
        """Keep so many files of a device from now on; older ones are deleted at once."""
        await self._files.keep(name, body.keep, principal.actor)
