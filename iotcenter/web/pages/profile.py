"""One's own account: how one likes to see things, the password, and where one is signed in."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct
from twisted.web.server import Request

from iotcenter.identity.errors import Overloaded, TooManyTries, Unfit
from iotcenter.model import Preferences
from iotcenter.web.doors import Door
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.guard import Redirect, page
from iotcenter.web.headers import peer
from iotcenter.web.owners import own_account
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.pages.setup import by_region
from iotcenter.web.pages.times import zone_names
from iotcenter.web.pages.users import problems_of
from iotcenter.web.parts import Parts
from iotcenter.web.people import People
from iotcenter.web.principal import Principal, begin_session

LANGUAGES = {"en": "English", "de": "Deutsch"}
"""What its speakers call each language."""


class ProfileQuery(Struct, frozen=True):
    """``saved`` is set for those who come from saving."""

    saved: str = ""


class ProfilePages:
    """Where people say what they like."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._people = People(parts)
        self._codes = parts.assets.languages.codes
        self._renderer = renderer

    @page("/profile")
    async def show(self, request: Request, principal: Principal, query: ProfileQuery) -> str:
        """What is chosen, and what there is to choose from."""
        return await self._render(principal, own_account(principal).preferences, saved=bool(query.saved))

    @page("/profile", methods=("POST",))
    async def save(self, request: Request, principal: Principal, form: Mapping[str, str]) -> str | Redirect:
        """Keep what was chosen."""
        user = own_account(principal)
        chosen = read_preferences(form, user.preferences)
        try:
            await self._people.set_preferences(principal, user.name, chosen)
        except Unfit as error:
            request.setResponseCode(422)
            return await self._render(principal, chosen, problems_of(error))
        return Redirect("/profile?saved=yes")

    @page("/profile/password", methods=("POST",))
    async def set_password(
        self, request: Request, principal: Principal, form: Mapping[str, str], door: Door
    ) -> str | Redirect:
        """Another password, which signs all other browsers out; this one is signed in anew."""
        user = own_account(principal)
        try:
            await self._people.change_own_password(
                principal, form.get("current", ""), form.get("password", ""), peer(request)
            )
        except (Unfit, Overloaded, TooManyTries) as error:
            request.setResponseCode(422)
            return await self._render(principal, user.preferences, problems_of(error))
        await begin_session(request, self._parts, door, user.name)
        return Redirect("/profile?saved=yes")

    async def _render(
        self, principal: Principal, chosen: Preferences, problems: dict[str, str] | None = None, saved: bool = False
    ) -> str:
        return self._renderer.render(
            "profile.html",
            principal,
            place="more",
            chosen=chosen,
            zones=by_region(zone_names()),
            languages={code: LANGUAGES.get(code, code) for code in self._codes},
            sessions=await self._people.sessions(principal, principal.name),
            problems=problems or {},
            saved=saved,
        )


def read_preferences(form: Mapping[str, str], before: Preferences) -> Preferences:
    """What a form chose; what it does not have stays as ``before``. Raises ``HTTPProblem`` for what no form offers."""
    fields = msgspec.to_builtins(before)
    try:
        return msgspec.convert({name: form.get(name, value) for name, value in fields.items()}, Preferences)
    except msgspec.ValidationError as error:
        raise HTTPProblem(422, "invalid", str(error)) from None
