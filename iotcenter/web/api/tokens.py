"""The tokens that other programs come in with."""

from __future__ import annotations

from twisted.web.server import Request

from iotcenter.identity.tokens import ApiToken
from iotcenter.model import EventKind, Role
from iotcenter.web.api.schema import IssuedToken, NewToken
from iotcenter.web.guard import api
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal, actor_of_token


class TokenHandlers:
    """Gives out API tokens, lists them without their secrets, and removes them."""

    def __init__(self, parts: Parts) -> None:
        self._tokens = parts.tokens
        self._streams = parts.streams
        self._events = parts.center.events
        self._open_ports = parts.center.open_ports
        self._seconds = parts.clock.seconds

    @api("/tokens", role=Role.ADMIN)
    async def list(self, request: Request, principal: Principal) -> tuple[ApiToken, ...]:
        """All tokens, by name, also those that have expired."""
        return await self._tokens.list()

    @api("/tokens", role=Role.ADMIN, method="POST", status=201, failures=(409,))
    async def create(self, request: Request, principal: Principal, body: NewToken) -> IssuedToken:
        """Give out a token. Its secret is told this once."""
        expires = body.expires
        if expires is None and body.lifetime is not None:
            expires = self._seconds() + body.lifetime
        secret = await self._tokens.create(body.name, body.role, expires)
        text = f"{principal.actor} created the token {body.name} as {body.role}"
        self._events.note(EventKind.TOKEN_CREATED, principal.actor, body.name, text, role=body.role)
        return IssuedToken(body.name, body.role, secret, expires)

    @api("/tokens/<name>", role=Role.ADMIN, method="DELETE", status=204, failures=(404,))
    async def remove(self, request: Request, principal: Principal, name: str) -> None:
        """Remove a token; it is refused from now on, and the ports that were opened by it are closed."""
        await self._tokens.remove(name)
        self._streams.end_token(name)
        self._open_ports.dismiss(actor_of_token(name))
        text = f"{principal.actor} removed the token {name}"
        self._events.note(EventKind.TOKEN_REMOVED, principal.actor, name, text)
