"""API tokens: how programs come in."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

from twisted.logger import Logger

from iotcenter.identity.digest import digest_of
from iotcenter.identity.errors import Unfit
from iotcenter.model import Role
from iotcenter.storage.store import Store
from iotcenter.storage.tokens import ApiToken
from iotcenter.texts import _

PREFIX = "iotc_"
"""Marks a token, so that people and programs that look for leaked secrets know it when they see one."""

SECRET = PREFIX + r"[A-Za-z0-9_-]{43}"
"""What a token looks like: 256 random bits behind the prefix."""

COARSE = 300.0
"""Seconds by which the time of last use may lag behind, so that not each request writes."""

NAME = r"[A-Za-z0-9]([A-Za-z0-9 ._@-]{0,62}[A-Za-z0-9._@-])?"
"""What a token may be called: one word or some, that fit into a path."""


class ApiTokens:
    """Every API token. What cannot be done fails with ``Unfit`` or a ``StorageError``."""

    _log = Logger()

    def __init__(self, store: Store, seconds: Callable[[], float]) -> None:
        self._store = store.tokens
        self._seconds = seconds

    async def create(self, name: str, role: Role, expires: float | None = None, owner: str | None = None) -> str:
        """The secret of a new token, which nobody can be told again. ``expires`` is a time; without it, it lasts."""
        now = self._seconds()
        if re.fullmatch(NAME, name) is None:
            raise Unfit("name", _("a token's name has up to 64 letters, digits, blanks, . _ - and @, a letter first"))
        if expires is not None and expires <= now:
            raise Unfit("expires", _("that time is over already"))
        secret = PREFIX + secrets.token_urlsafe(32)
        await self._store.add(digest_of(secret), ApiToken(name, role, now, expires, owner=owner))
        return secret

    async def find(self, secret: str) -> ApiToken | None:
        """The token with that secret while it lasts. Takes any text."""
        if re.fullmatch(SECRET, secret) is None:
            return None
        now, digest = self._seconds(), digest_of(secret)
        row = await self._store.find(digest)
        if row is None or (row.expires is not None and now >= row.expires):
            return None
        if row.last_used is None or now - row.last_used >= COARSE:
            self._note_use(digest, now)
        return row

    async def list(self) -> tuple[ApiToken, ...]:
        """Every token, by name, also those that have expired."""
        return await self._store.all()

    async def named(self, name: str) -> ApiToken | None:
        """The token of that name."""
        return await self._store.named(name)

    async def remove(self, name: str) -> None:
        """Shut a program out, from its next request on."""
        await self._store.remove(name)

    def _note_use(self, digest: bytes, now: float) -> None:
        """Nobody waits for this: a request must not fail because the disk is full."""
        self._store.use(digest, now).addErrback(
            lambda failure: self._log.warn("a token's use was not noted: {reason}", reason=failure.getErrorMessage())
        )
