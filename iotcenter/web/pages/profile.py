"""One's own account: how one likes to see things."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct
from twisted.web.server import Request

from iotcenter.identity.errors import Unfit
from iotcenter.model import Preferences, User
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.guard import Redirect, page
from iotcenter.web.pages.rendering import Renderer, sentence
from iotcenter.web.pages.setup import by_region
from iotcenter.web.pages.times import zone_names
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal

LANGUAGES = {"en": "English", "de": "Deutsch"}
"""What its speakers call each language."""


class ProfileQuery(Struct, frozen=True):
    """``saved`` is set for those who come from saving."""

    saved: str = ""


class ProfilePages:
    """Where people say what they like."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._users = parts.users
        self._codes = parts.assets.languages.codes
        self._renderer = renderer

    @page("/profile")
    async def show(self, request: Request, principal: Principal, query: ProfileQuery) -> str:
        """What is chosen, and what there is to choose from."""
        return self._render(principal, own_account(principal).preferences, saved=bool(query.saved))

    @page("/profile", methods=("POST",))
    async def save(self, request: Request, principal: Principal, form: Mapping[str, str]) -> str | Redirect:
        """Keep what was chosen."""
        user = own_account(principal)
        chosen = read_preferences(form, user.preferences)
        try:
            await self._users.set_preferences(user.name, chosen)
        except Unfit as error:
            request.setResponseCode(422)
            return self._render(principal, chosen, {error.field: sentence(str(error))})
        return Redirect("/profile?saved=yes")

    def _render(
        self, principal: Principal, chosen: Preferences, problems: dict[str, str] | None = None, saved: bool = False
    ) -> str:
        return self._renderer.render(
            "profile.html",
            principal,
            place="more",
            chosen=chosen,
            zones=by_region(zone_names()),
            languages={code: LANGUAGES.get(code, code) for code in self._codes},
            problems=problems or {},
            saved=saved,
        )


def own_account(principal: Principal) -> User:
    """The account of who asks. Raises ``HTTPProblem`` for programs, which have none."""
    if principal.user is None:
        raise HTTPProblem(403, "no_account", "this is for people who are signed in")
    return principal.user


def read_preferences(form: Mapping[str, str], before: Preferences) -> Preferences:
    """What a form chose; what it does not have stays as ``before``. Raises ``HTTPProblem`` for what no form offers."""
    fields = msgspec.to_builtins(before)
    try:
        return msgspec.convert({name: form.get(name, value) for name, value in fields.items()}, Preferences)
    except msgspec.ValidationError as error:
        raise HTTPProblem(422, "invalid", str(error)) from None
