"""Where the link for a new password leads."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from twisted.web.server import Request

from iotcenter.identity.errors import Overloaded, Unfit
from iotcenter.interfaces import Refused
from iotcenter.web.doors import Door
from iotcenter.web.guard import Redirect, page
from iotcenter.web.pages.rendering import Renderer, explained
from iotcenter.web.parts import Parts
from iotcenter.web.people import People
from iotcenter.web.principal import Principal, begin_session


class ResetQuery(Struct, frozen=True):
    """``t`` is the link's secret."""

    t: str = ""


class ResetPages:
    """For those who forgot their password, and were given a link by an admin."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._links = parts.reset_links
        self._people = People(parts)
        self._renderer = renderer

    @page("/reset", role=None)
    async def show(self, request: Request, principal: Principal | None, query: ResetQuery) -> str:
        """The form, where the link is good."""
        name = await self._links.check(query.t)
        if name is None:
            return self._refuse(request)
        return self._renderer.render("reset.html", None, secret=query.t, name=name)

    @page("/reset", role=None, methods=("POST",))
    async def redeem(
        self, request: Request, principal: Principal | None, form: Mapping[str, str], door: Door
    ) -> str | Redirect:
        """Keep the new password, and sign this browser in."""
        secret = form.get("t", "")
        try:
            name = await self._people.redeem_reset(secret, form.get("password", ""))
        except (Unfit, Overloaded) as error:
            request.setResponseCode(422)
            whose = await self._links.check(secret)
            problems = {"password": explained(error)}
            return self._renderer.render("reset.html", None, secret=secret, name=whose or "", problems=problems)
        except Refused:
            return self._refuse(request)
        await begin_session(request, self._parts, door, name)
        return Redirect("/")

    def _refuse(self, request: Request) -> str:
        request.setResponseCode(403)
        return self._renderer.render("reset_refused.html", None)
