"""The people who may sign in, as admins see to them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from twisted.web.server import Request

from iotcenter.identity.errors import Overloaded, TooManyTries, Unfit
from iotcenter.model import Role
from iotcenter.storage.errors import LastAdmin, NameTaken, NotFound
from iotcenter.texts import _
from iotcenter.web.addresses import Addresses
from iotcenter.web.doors import Door
from iotcenter.web.guard import Redirect, page
from iotcenter.web.key_ring import KeyRing
from iotcenter.web.owners import is_own
from iotcenter.web.pages.rendering import Renderer, explained
from iotcenter.web.parts import Parts
from iotcenter.web.people import People
from iotcenter.web.principal import Principal

Refusal = (Unfit, NameTaken, LastAdmin, Overloaded, TooManyTries)
"""What is said on the page itself, beside the fields."""


class UserPages:
    """The list of people, and a page for each."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._people = People(parts)
        self._ring = KeyRing(parts)
        self._addresses = Addresses(parts)
        self._renderer = renderer

    @page("/users", role=Role.ADMIN)
    async def list(self, request: Request, principal: Principal) -> str:
        """Everybody, and the form for another."""
        return await self._list(principal, {})

    @page("/users", role=Role.ADMIN, methods=("POST",))
    async def add(self, request: Request, principal: Principal, form: Mapping[str, str]) -> str | Redirect:
        """Let somebody sign in, in the time zone of who adds them."""
        name, role = form.get("name", "").strip(), role_in(form)
        try:
            user = await self._people.add(principal, name, role, form.get("password", ""), principal.time_zone)
        except Refusal as error:
            request.setResponseCode(422)
            return await self._list(principal, form, problems_of(error))
        return Redirect(f"/users/{user.name}")

    @page("/users/<name>", role=Role.ADMIN)
    async def show(self, request: Request, principal: Principal, name: str) -> str:
        """One of them: role, password, browsers, keys."""
        return await self._show(principal, name)

    @page("/users/<name>/role", role=Role.ADMIN, methods=("POST",))
    async def set_role(
        self, request: Request, principal: Principal, name: str, form: Mapping[str, str]
    ) -> str | Redirect:
        """Let them do more or less."""
        try:
            await self._people.set_role(principal, name, role_in(form))
        except LastAdmin as error:
            return await self._refuse(request, principal, name, {"role": explained(error)})
        return Redirect(f"/users/{name}")

    @page("/users/<name>/password", role=Role.ADMIN, methods=("POST",))
    async def set_password(
        self, request: Request, principal: Principal, name: str, form: Mapping[str, str]
    ) -> str | Redirect:
        """Another password, which signs them out."""
        try:
            await self._people.set_password(principal, name, form.get("password", ""))
        except Refusal as error:
            return await self._refuse(request, principal, name, problems_of(error))
        return Redirect(f"/users/{name}")

    @page("/users/<name>/reset-link", role=Role.ADMIN, methods=("POST",))
    async def reset_link(self, request: Request, principal: Principal, name: str, door: Door) -> str:
        """A link by which they choose another password themselves; it is shown this once."""
        secret, expires = await self._people.reset_link(principal, name)
        link = f"{self._addresses.web(request, door)}/reset?t={secret}"
        return await self._show(principal, name, link=link, expires=expires)

    @page("/users/<name>/remove", role=Role.ADMIN, methods=("POST",))
    async def remove(
        self, request: Request, principal: Principal, name: str, form: Mapping[str, str]
    ) -> str | Redirect:
        """Shut them out, once the name was typed."""
        if form.get("confirm", "").strip().lower() != name.lower():
            problem = _("Type %(name)s to remove this user.", name=name)
            return await self._refuse(request, principal, name, {"confirm": problem})
        try:
            await self._people.remove(principal, name)
        except LastAdmin as error:
            return await self._refuse(request, principal, name, {"confirm": explained(error)})
        return Redirect("/users")

    @page("/users/<name>/sessions/end", methods=("POST",))
    async def end_sessions(
        self, request: Request, principal: Principal, name: str, form: Mapping[str, str]
    ) -> Redirect:
        """Sign one browser out, or all others than this one."""
        if "session" in form:
            await self._people.end_session(principal, name, form["session"])
        else:
            await self._people.end_other_sessions(principal, name)
        return Redirect("/profile#sessions" if is_own(principal, name) else f"/users/{name}#sessions")

    @page("/users/<name>/keys/remove", role=Role.ADMIN, methods=("POST",))
    async def remove_key(self, request: Request, principal: Principal, name: str, form: Mapping[str, str]) -> Redirect:
        """Take an SSH key from them; one that is gone already is what was wanted."""
        with suppress(NotFound):
            await self._ring.remove(principal, name, form.get("fingerprint", ""))
        return Redirect(f"/users/{name}")

    async def _refuse(self, request: Request, principal: Principal, name: str, problems: dict[str, str]) -> str:
        request.setResponseCode(422)
        return await self._show(principal, name, problems=problems)

    async def _list(self, principal: Principal, form: Mapping[str, str], problems: dict[str, str] | None = None) -> str:
        return self._renderer.render(
            "users.html",
            principal,
            place="more",
            users=await self._parts.users.list(),
            name=form.get("name", ""),
            role=form.get("role", Role.VIEWER),
            problems=problems or {},
        )

    async def _show(self, principal: Principal, name: str, **context: Any) -> str:
        user = await self._people.named(name)
        tokens = [token for token in await self._parts.tokens.list() if token.owner == user.name]
        return self._renderer.render(
            "user.html",
            principal,
            **{"place": "more", "link": "", "expires": 0.0, **context},
            user=user,
            sessions=await self._people.sessions(principal, name),
            keys=await self._parts.ssh_keys.list(user.name),
            tokens=tokens,
        )


def role_in(form: Mapping[str, str]) -> Role:
    """The role that a form chose. Raises ``Unfit`` for what none offers."""
    try:
        return Role(form.get("role", ""))
    except ValueError:
        raise Unfit("role", _("There is no such role.")) from None


def problems_of(error: Exception) -> dict[str, str]:
    """What was refused, at the field at fault."""
    field = error.field if isinstance(error, Unfit) else "name" if isinstance(error, NameTaken) else "form"
    return {field: explained(error)}
