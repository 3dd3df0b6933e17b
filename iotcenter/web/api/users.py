"""The people who may sign in."""

from __future__ import annotations

from twisted.web.server import Request

from iotcenter.identity.errors import Unfit
from iotcenter.model import EventKind, Role, User
from iotcenter.storage.errors import NotFound
from iotcenter.web.api.schema import NewUser, UserChange
from iotcenter.web.guard import api
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


class UserHandlers:
    """Adds, changes and removes users. Whatever changes for somebody ends their event streams, which begin anew if they
    may."""

    def __init__(self, parts: Parts) -> None:
        self._users = parts.users
        self._streams = parts.streams
        self._events = parts.center.events

    @api("/users", role=Role.ADMIN)
    async def list(self, request: Request, principal: Principal) -> tuple[User, ...]:
        """Everybody, by name."""
        return await self._users.list()

    @api("/users", role=Role.ADMIN, method="POST", status=201, failures=(409,))
    async def add(self, request: Request, principal: Principal, body: NewUser) -> User:
        """Let somebody sign in."""
        user = await self._users.add(body.name, body.role, body.password, body.time_zone)
        text = f"{principal.actor} added the user {user.name} as {user.role}"
        self._events.note(EventKind.USER_ADDED, principal.actor, user.name, text, role=user.role)
        return user

    @api("/users/<name>", role=Role.ADMIN, method="PATCH", failures=(404, 409))
    async def change(self, request: Request, principal: Principal, name: str, body: UserChange) -> User:
        """Give somebody another role or password. A new password signs them out everywhere."""
        if (body.role is None) == (body.password is None):
            raise Unfit("role", "change the role or the password, one at a time")
        if body.role is not None:
            await self._users.set_role(name, body.role)
        if body.password is not None:
            await self._users.set_password(name, body.password)
        self._streams.end_user(name.lower())
        what = "role" if body.password is None else "password"
        text = f"{principal.actor} changed the {what} of {name}"
        self._events.note(EventKind.USER_CHANGED, principal.actor, name.lower(), text, role=body.role)
        return await self._named(name)

    @api("/users/<name>", role=Role.ADMIN, method="DELETE", status=204, failures=(404, 409))
    async def remove(self, request: Request, principal: Principal, name: str) -> None:
        """Shut somebody out, at once. The last admin stays."""
        await self._users.remove(name)
        self._streams.end_user(name.lower())
        self._events.note(
            EventKind.USER_REMOVED, principal.actor, name.lower(), f"{principal.actor} removed the user {name}"
        )

    async def _named(self, name: str) -> User:
        for user in await self._users.list():
            if user.name == name.lower():
                return user
        raise NotFound(f"There is no user named {name}.")
