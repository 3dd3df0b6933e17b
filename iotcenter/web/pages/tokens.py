"""API tokens: the way in for programs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from twisted.web.server import Request

from iotcenter.identity.errors import Unfit
from iotcenter.model import Role
from iotcenter.storage.errors import NameTaken, NotFound
from iotcenter.texts import N_
from iotcenter.web.addresses import Addresses
from iotcenter.web.doors import Door
from iotcenter.web.guard import Redirect, page
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.pages.users import problems_of, role_in
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal
from iotcenter.web.token_desk import TokenDesk

LIFETIMES = {"30": N_("30 days"), "90": N_("90 days"), "365": N_("A year"), "": N_("Until it is removed")}
"""For how many days a token may work."""

USUAL = "365"
"""For how many it does where nothing else is chosen."""


class TokenPages:
    """Everybody's own tokens; admins see to all."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._desk = TokenDesk(parts)
        self._addresses = Addresses(parts)
        self._seconds = parts.clock.seconds
        self._own = parts.web_certificate
        self._renderer = renderer

    @page("/tokens")
    async def show(self, request: Request, principal: Principal) -> str:
        """The tokens there are, and the form for another."""
        return await self._render(principal, {})

    @page("/tokens", methods=("POST",))
    async def create(self, request: Request, principal: Principal, form: Mapping[str, str], door: Door) -> str:
        """Make a token; its secret is shown this once."""
        name, days = form.get("name", "").strip(), form.get("days", USUAL)
        if days not in LIFETIMES:
            days = USUAL
        expires = self._seconds() + int(days) * 86400.0 if days else None
        try:
            role = role_in(form)
            secret, _expires = await self._desk.create(principal, name, role, expires)
        except (Unfit, NameTaken) as error:
            request.setResponseCode(422)
            return await self._render(principal, form, problems=problems_of(error))
        address = self._addresses.web(request, door)
        return await self._render(principal, {}, made=name, made_role=role, secret=secret, address=address)

    @page("/tokens/remove", methods=("POST",))
    async def remove(self, request: Request, principal: Principal, form: Mapping[str, str]) -> Redirect:
        """Remove one; one that is gone already is what was wanted."""
        with suppress(NotFound):
            await self._desk.remove(principal, form.get("name", ""))
        return Redirect("/tokens")

    async def _render(self, principal: Principal, form: Mapping[str, str], **context: Any) -> str:
        return self._renderer.render(
            "tokens.html",
            principal,
            **{"place": "more", "made": "", "made_role": "", "secret": "", "address": "", **context},
            tokens=await self._desk.list(principal),
            own=self._own.own,
            name=form.get("name", ""),
            role=form.get("role", Role.VIEWER),
            days=form.get("days", USUAL),
            lifetimes=LIFETIMES,
        )
