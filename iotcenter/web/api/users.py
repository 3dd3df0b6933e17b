"""The people who may sign in."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from twisted.web.server import Request

from iotcenter.identity.errors import Unfit
from iotcenter.identity.sessions import OpenSession
from iotcenter.model import LANGUAGE, Hours, Noun, Preferences, Role, Theme, UnitSystem, User
from iotcenter.texts import _
from iotcenter.web.addresses import Addresses
from iotcenter.web.api.taken import Password, Taken, Word
from iotcenter.web.doors import Door
from iotcenter.web.guard import api
from iotcenter.web.headers import peer
from iotcenter.web.owners import check_own
from iotcenter.web.parts import Parts
from iotcenter.web.people import People
from iotcenter.web.principal import Principal


class NewUser(Taken, frozen=True):
    """Somebody who shall be able to sign in."""

    name: Word
    role: Role
    password: Password
    time_zone: Word = "UTC"


class UserChange(Taken, frozen=True):
    """What is to be another: the role or the password, one at a time, since one may be refused."""

    role: Role | None = None
    password: Password | None = None


class NewPassword(Taken, frozen=True):
    """Another password for who knows the ``current`` one."""

    current: Password
    password: Password


class PreferencesChange(Taken, frozen=True):
    """How somebody likes to see things; what is left out stays. ``language`` is a tag such as ``de``; empty: as their
    browser asks."""

    time_zone: Word | None = None
    hours: Hours | None = None
    units: UnitSystem | None = None
    theme: Theme | None = None
    language: Annotated[str, Meta(pattern=LANGUAGE)] | None = None


class ResetLinkAnswer(Noun, frozen=True, omit_defaults=False):
    """Where somebody gives themselves another password; it works once, until it ``expires``."""

    link: str
    expires: float


class UserHandlers:
    """Adds, changes and removes users, and their sessions."""

    def __init__(self, parts: Parts) -> None:
        self._users = parts.users
        self._people = People(parts)
        self._addresses = Addresses(parts)

    @api("/users", role=Role.ADMIN)
    async def list(self, request: Request, principal: Principal) -> tuple[User, ...]:
        """Everybody, by name."""
        return await self._users.list()

    @api("/users", role=Role.ADMIN, method="POST", status=201, failures=(409,))
    async def add(self, request: Request, principal: Principal, body: NewUser) -> User:
        """Let somebody sign in."""
        return await self._people.add(principal, body.name, body.role, body.password, body.time_zone)

    @api("/users/<name>", role=Role.VIEWER, failures=(404,))
    async def show(self, request: Request, principal: Principal, name: str) -> User:
        """One's own account, or as an admin anybody's."""
        check_own(principal, name, _("accounts"))
        return await self._people.named(name)

    @api("/users/<name>", role=Role.ADMIN, method="PATCH", failures=(404, 409))
    async def change(self, request: Request, principal: Principal, name: str, body: UserChange) -> User:
        """Give somebody another role or password. A new password signs them out everywhere."""
        if body.role is not None and body.password is None:
            await self._people.set_role(principal, name, body.role)
        elif body.password is not None and body.role is None:
            await self._people.set_password(principal, name, body.password)
        else:
            raise Unfit("role", "change the role or the password, one at a time")
        return await self._people.named(name)

    @api("/users/<name>", role=Role.ADMIN, method="DELETE", status=204, failures=(404, 409))
    async def remove(self, request: Request, principal: Principal, name: str) -> None:
        """Shut somebody out, at once. The last admin stays."""
        await self._people.remove(principal, name)

    @api("/users/<name>/preferences", role=Role.VIEWER, method="PATCH", failures=(404,))
    async def prefer(self, request: Request, principal: Principal, name: str, body: PreferencesChange) -> Preferences:
        """How somebody sees things: one's own, or as an admin anybody's. What is left out stays."""
        check_own(principal, name, _("preferences"))
        before = (await self._people.named(name)).preferences
        changes = {field: value for field, value in msgspec.structs.asdict(body).items() if value is not None}
        preferences = msgspec.structs.replace(before, **changes)
        await self._people.set_preferences(principal, name, preferences)
        return preferences

    @api("/users/<name>/password", role=Role.VIEWER, method="POST", status=204, failures=(404,))
    async def set_own_password(self, request: Request, principal: Principal, name: str, body: NewPassword) -> None:
        """Another password for who asks, which signs them out everywhere."""
        if principal.user is None or principal.user.name != name.lower():
            raise Unfit("name", "this changes one's own password: an admin changes those of others with PATCH")
        await self._people.change_own_password(principal, body.current, body.password, peer(request))

    @api("/users/<name>/reset-link", role=Role.ADMIN, method="POST", status=201, failures=(404,))
    async def reset_link(self, request: Request, principal: Principal, name: str, door: Door) -> ResetLinkAnswer:
        """A link by which somebody gives themselves another password. It works once, for a day."""
        secret, expires = await self._people.reset_link(principal, name)
        return ResetLinkAnswer(f"{self._addresses.web(request, door)}/reset?t={secret}", expires)

    @api("/users/<name>/sessions", role=Role.VIEWER, failures=(404,))
    async def sessions(self, request: Request, principal: Principal, name: str) -> tuple[OpenSession, ...]:
        """Where one is signed in, or as an admin where anybody is: the browser that was used last first."""
        return await self._people.sessions(principal, name)

    @api("/users/<name>/sessions", role=Role.VIEWER, method="DELETE", status=204, failures=(404,))
    async def end_sessions(self, request: Request, principal: Principal, name: str) -> None:
        """Sign somebody out everywhere, but for the browser that asks."""
        await self._people.end_other_sessions(principal, name)

    @api("/users/<name>/sessions/<session>", role=Role.VIEWER, method="DELETE", status=204, failures=(404,))
    async def end_session(self, request: Request, principal: Principal, name: str, session: str) -> None:
        """Sign one browser out."""
        await self._people.end_session(principal, name, session)
