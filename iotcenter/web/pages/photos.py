"""Photos and other files of devices: all of them side by side, and each by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct
from twisted.web.server import Request

from iotcenter.model import Role
from iotcenter.storage.errors import NotFound
from iotcenter.texts import _
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.guard import ID, Redirect, page
from iotcenter.web.pages.bookmarks import bookmark
from iotcenter.web.pages.error import find_device
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal

SHOWN = 48
"""Files on one page: a few screens full, of which a browser loads what is in view."""


class PhotosQuery(Struct, frozen=True):
    """Whose files to show, of all devices where none is named; with ``all``, those too that are no pictures."""

    device: str = ""
    all: str = ""
    before: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None

    def link(self, **changes: Any) -> str:
        """This view with something else about it."""
        return bookmark("/photos", self, **changes)


class PhotoPages:
    """Shows files, and deletes them."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._files = parts.center.files
        self._renderer = renderer

    @page("/photos")
    async def show(self, request: Request, principal: Principal, query: PhotosQuery) -> str:
        """The newest files that fit, and the way to older ones."""
        return await self._render(principal, query)

    @page(f"/devices/<name>/files/<{ID}:id>")
    async def one(self, request: Request, principal: Principal, name: str, id: int) -> str:
        """One file, large, with all that is known of it, and the ways to its neighbours."""
        find_device(self._parts, name)
        newer, file, older = await self._files.neighbours(name, id)
        if file is None:
            raise HTTPProblem(404, "not_found", _("This file was deleted."))
        return self._renderer.render("photo.html", principal, place="more", file=file, newer=newer, older=older)

    @page(f"/devices/<name>/files/<{ID}:id>/delete", role=Role.OPERATOR, methods=("POST",))
    async def delete(self, request: Request, principal: Principal, name: str, id: int) -> Redirect:
        """Delete it; on to the one before it."""
        find_device(self._parts, name)
        _newer, _file, older = await self._files.neighbours(name, id)
        try:
            await self._files.remove(name, id, principal.actor)
        except NotFound:  # somebody else was quicker, and this is what they wanted
            return Redirect(PhotosQuery(name).link())
        return Redirect(f"/devices/{name}/files/{older.id}" if older else PhotosQuery(name).link())

    @page("/devices/<name>/files/keep", role=Role.OPERATOR, methods=("POST",))
    async def keep(self, request: Request, principal: Principal, name: str, form: Mapping[str, str]) -> str | Redirect:
        """Keep so many from now on, and delete what is older."""
        find_device(self._parts, name)
        text, most = form.get("keep", "").strip(), self._files.limits.count
        if text and not (re.fullmatch("[0-9]{1,9}", text) and 1 <= int(text) <= most):
            request.setResponseCode(422)
            problem = {"keep": _("A whole number from 1 to %(most)s, or nothing.", most=most)}
            return await self._render(principal, PhotosQuery(name), problem)
        await self._files.keep(name, int(text) if text else None, principal.actor)
        return Redirect(PhotosQuery(name).link())

    async def _render(self, principal: Principal, query: PhotosQuery, problems: dict[str, str] | None = None) -> str:
        device = find_device(self._parts, query.device) if query.device else None
        found = await self._files.recent(query.device or None, SHOWN + 1, query.before, not query.all)
        return self._renderer.render(
            "photos.html",
            principal,
            place="more",
            query=query,
            device=device,
            devices=self._parts.center.devices.names(),
            files=found[:SHOWN],
            older=query.link(before=found[SHOWN - 1].id) if len(found) > SHOWN else "",
            used=await self._files.used(query.device) if device else None,
            limits=self._files.limits,
            problems=problems or {},
        )
