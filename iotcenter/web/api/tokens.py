"""The tokens that other programs come in with."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from twisted.web.server import Request

from iotcenter.model import FAR_FUTURE, Noun, Role
from iotcenter.storage.tokens import ApiToken
from iotcenter.web.api.taken import Taken, Word
from iotcenter.web.guard import api
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal
from iotcenter.web.token_desk import TokenDesk


class NewToken(Taken, frozen=True):
    """A way in for a program. ``expires`` is a time in Unix seconds, ``lifetime`` the same counted from now; without
    both, it lasts."""

    name: Word
    role: Role = Role.VIEWER
    expires: Annotated[float, Meta(ge=0, le=FAR_FUTURE)] | None = None
    lifetime: Annotated[float, Meta(gt=0, le=3660 * 86400.0)] | None = None


class IssuedToken(Noun, frozen=True, omit_defaults=False):
    """A token, this once."""

    name: str
    role: Role
    token: str
    expires: float | None


class TokenHandlers:
    """Gives out API tokens, lists them without their secrets, and removes them."""

    def __init__(self, parts: Parts) -> None:
        self._desk = TokenDesk(parts)
        self._seconds = parts.clock.seconds

    @api("/tokens", role=Role.VIEWER)
    async def list(self, request: Request, principal: Principal) -> tuple[ApiToken, ...]:
        """One's own tokens, or as an admin all, by name, also those that have expired."""
        return await self._desk.list(principal)

    @api("/tokens", role=Role.VIEWER, method="POST", status=201, failures=(409,))
    async def create(self, request: Request, principal: Principal, body: NewToken) -> IssuedToken:
        """Give out a token, which may do at most what its maker may. Its secret is told this once."""
        expires = body.expires
        if expires is None and body.lifetime is not None:
            expires = self._seconds() + body.lifetime
        secret, expires = await self._desk.create(principal, body.name, body.role, expires)
        return IssuedToken(body.name, body.role, secret, expires)

    @api("/tokens/<name>", role=Role.VIEWER, method="DELETE", status=204, failures=(404,))
    async def remove(self, request: Request, principal: Principal, name: str) -> None:
        """Remove a token; it is refused from now on, and the ports that were opened by it are closed."""
        await self._desk.remove(principal, name)
