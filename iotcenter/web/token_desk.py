"""What is done to API tokens, by the API and by pages alike."""

from __future__ import annotations

from iotcenter.model import EventKind, Role
from iotcenter.storage.errors import NotFound
from iotcenter.storage.tokens import ApiToken
from iotcenter.texts import _
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.owners import is_own
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal, actor_of_token


class TokenDesk:
    """Everybody sees to their own tokens, which may do no more than they; admins see to all."""

    def __init__(self, parts: Parts) -> None:
        self._tokens = parts.tokens
        self._streams = parts.streams
        self._events = parts.center.events
        self._open_ports = parts.center.open_ports

    async def list(self, principal: Principal) -> tuple[ApiToken, ...]:
        """The tokens that ``principal`` sees to, by name, also those that have expired."""
        return tuple(token for token in await self._tokens.list() if _sees_to(principal, token))

    async def create(
        self, principal: Principal, name: str, role: Role, expires: float | None
    ) -> tuple[str, float | None]:
        """The secret of a new token, which nobody can be told again, and when it ends. It is its maker's; what a token
        makes lasts no longer than itself."""
        if principal.user is None and not principal.role.covers(Role.ADMIN):
            raise HTTPProblem(403, "role", _("a program that makes tokens needs the role %(role)s", role=_(Role.ADMIN)))
        if not principal.role.covers(role):
            raise HTTPProblem(403, "role", _("a token with the role %(role)s takes somebody who has it", role=_(role)))
        expires = min((end for end in (expires, principal.expires) if end is not None), default=None)
        secret = await self._tokens.create(name, role, expires, principal.owner)
        text = f"{principal.actor} created the token {name} as {role}"
        self._events.note(EventKind.TOKEN_CREATED, principal.actor, name, text, role=role)
        return secret, expires

    async def remove(self, principal: Principal, name: str) -> None:
        """Remove a token: it is refused from now on, and what it holds open ends. Fails with ``NotFound``, also for one
        that is somebody else's."""
        token = await self._tokens.named(name)
        if token is None or not _sees_to(principal, token):
            raise NotFound(f"There is no token named {name[:64]}.")
        await self._tokens.remove(name)
        self._streams.end_token(name)
        self._open_ports.dismiss(actor_of_token(name))
        text = f"{principal.actor} removed the token {name}"
        self._events.note(EventKind.TOKEN_REMOVED, principal.actor, name, text)


def _sees_to(principal: Principal, token: ApiToken) -> bool:
    return principal.role.covers(Role.ADMIN) or is_own(principal, token.owner)
