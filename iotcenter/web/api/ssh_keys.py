"""The public keys by which users come in over SSH."""

from __future__ import annotations

from twisted.web.server import Request

from iotcenter.identity.ssh_keys import SshKey
from iotcenter.model import Role
from iotcenter.web.api.schema import NewSshKey, SshKeyQuery
from iotcenter.web.guard import api
from iotcenter.web.key_ring import KeyRing
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


class SshKeyHandlers:
    """Lists, adds and removes keys: one's own, or as an admin anybody's."""

    def __init__(self, parts: Parts) -> None:
        self._ring = KeyRing(parts)

    @api("/users/<name>/keys", role=Role.OPERATOR, failures=(404,))
    async def list(self, request: Request, principal: Principal, name: str) -> tuple[SshKey, ...]:
        """A user's SSH keys, oldest first: one's own, or as an admin anybody's."""
        return await self._ring.list(principal, name)

    @api("/users/<name>/keys", role=Role.OPERATOR, method="POST", status=201, failures=(404, 409))
    async def add(self, request: Request, principal: Principal, name: str, body: NewSshKey) -> SshKey:
        """Let a user come in by another key."""
        return await self._ring.add(principal, name, body.key)

    @api("/users/<name>/keys", role=Role.OPERATOR, method="DELETE", status=204, failures=(404,))
    async def remove(self, request: Request, principal: Principal, name: str, query: SshKeyQuery) -> None:
        """Take a key from a user; what it holds open ends at once."""
        await self._ring.remove(principal, name, query.fingerprint)
