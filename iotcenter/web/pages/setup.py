"""The first user: whoever has the one-time link becomes the admin."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from msgspec import Struct
from twisted.web.server import Request

from iotcenter.identity.errors import Unfit
from iotcenter.interfaces import Refused
from iotcenter.web.doors import Door
from iotcenter.web.guard import Redirect, page
from iotcenter.web.pages.rendering import Renderer, explained
from iotcenter.web.pages.times import zone_names
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal, begin_session


class SetupQuery(Struct, frozen=True):
    """``t`` is the link's secret."""

    t: str = ""


class SetupPages:
    """Where the setup link leads."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer

    @page("/setup", role=None)
    async def show(self, request: Request, principal: Principal | None, query: SetupQuery) -> str:
        """The form, where the link is good."""
        if not await self._parts.setup_link.check(query.t):
            return await self._refuse(request)
        return self._render(query.t, {})

    @page("/setup", role=None, methods=("POST",))
    async def redeem(
        self, request: Request, principal: Principal | None, form: Mapping[str, str], door: Door
    ) -> str | Redirect:
        """Make the account, sign it in, and go on to the first device."""
        secret = form.get("t", "")
        try:
            user = await self._parts.setup_link.redeem(
                secret, form.get("name", "").strip(), form.get("password", ""), form.get("time_zone", "UTC")
            )
        except Unfit as error:
            request.setResponseCode(422)
            return self._render(secret, form, {error.field: explained(error)})
        except Refused:
            return await self._refuse(request)
        await begin_session(request, self._parts, door, user.name)
        return Redirect("/add-device?first=yes")

    def _render(self, secret: str, form: Mapping[str, str], problems: dict[str, str] | None = None) -> str:
        return self._renderer.render(
            "setup.html",
            None,
            secret=secret,
            name=form.get("name", ""),
            time_zone=form.get("time_zone", "UTC"),
            chosen="time_zone" in form,
            zones=by_region(zone_names()),
            problems=problems or {},
        )

    async def _refuse(self, request: Request) -> str:
        request.setResponseCode(403)
        return self._renderer.render("setup_refused.html", None, users=await self._parts.users.count())


def by_region(zones: tuple[str, ...]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Time zones under their regions, each with what people call its place; those without a region come first."""
    regions = groupby(zones, key=lambda zone: zone.partition("/")[0] if "/" in zone else "")
    return [(region, [(zone, place_of(zone)) for zone in members]) for region, members in regions]


def place_of(zone: str) -> str:
    """``America/Argentina/Buenos_Aires`` is ``Argentina, Buenos Aires``."""
    return ", ".join(zone.replace("_", " ").split("/")[-2 if zone.count("/") > 1 else -1 :])
