"""The public keys by which users come in over SSH."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from twisted.web.server import Request

from iotcenter.model import Role
from iotcenter.storage.ssh_keys import SshKey
from iotcenter.web.api.taken import Taken
from iotcenter.web.guard import api
from iotcenter.web.key_ring import KeyRing
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


class NewSshKey(Taken, frozen=True):
    """A public key by which a user may come in over SSH: a line as in ``~/.ssh/id_ed25519.pub``."""

    key: Annotated[str, Meta(max_length=20_000)]


class SshKeyQuery(Taken, frozen=True):
    """Which key: ``SHA256:...``, as ``ssh-keygen -l`` shows it."""

    fingerprint: Annotated[str, Meta(max_length=64)]


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
