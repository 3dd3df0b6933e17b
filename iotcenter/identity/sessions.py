"""Browsers that are signed in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable

from msgspec import Struct
from twisted.logger import Logger

from iotcenter.identity.digest import digest_of
from iotcenter.identity.users import canonical, user_of
from iotcenter.model import User
from iotcenter.storage.store import Store

IDLE = 14 * 86400.0
"""Seconds without a request after which a session ends."""

LONGEST = 90 * 86400.0
"""Seconds after which a session ends however much it is used."""

COARSE = 300.0
"""Seconds by which the time of last use may lag behind: a page that asks each second does not write each second."""

SECRET = r"[A-Za-z0-9_-]{43}"
"""What a session's secret looks like: 256 random bits."""


class Session(Struct, frozen=True):
    """A browser that is signed in as ``user``. ``csrf`` is what forms send back, to show that they are ours."""

    user: User
    csrf: str
    created: float
    expires: float

    def __repr__(self) -> str:
        return f"Session(user={self.user.name!r})"


class Sessions:
    """Every browser that is signed in. The secret is the browser's; only its SHA-256 is kept."""

    _log = Logger()

    def __init__(self, store: Store, seconds: Callable[[], float]) -> None:
        self._store = store.accounts
        self._seconds = seconds

    async def create(self, user_name: str) -> str:
        """The secret of a new session for somebody who has just shown who they are. Fails with a ``StorageError``."""
        secret, now = secrets.token_urlsafe(32), self._seconds()
        await self._store.expire_sessions(now, now - IDLE)
        await self._store.add_session(digest_of(secret), canonical(user_name), now, now + LONGEST)
        return secret

    async def find(self, secret: str) -> Session | None:
        """The session with that secret while it lasts, which it does for longer now. Takes any text."""
        if re.fullmatch(SECRET, secret) is None:
            return None
        now, digest = self._seconds(), digest_of(secret)
        row = await self._store.session(digest)
        if row is None or now >= row.expires or now - row.last_used >= IDLE:
            return None
        if now - row.last_used >= COARSE:
            self._refresh(digest, now)
        return Session(user_of(row.user), csrf_of(secret), row.created, row.expires)

    async def end(self, secret: str) -> None:
        """Sign one browser out."""
        if re.fullmatch(SECRET, secret):
            await self._store.end_session(digest_of(secret))

    def _refresh(self, digest: bytes, now: float) -> None:
        """Nobody waits for this: a page must not fail because the disk is full."""
        self._store.use_session(digest, now).addErrback(
            lambda failure: self._log.warn("a session's use was not noted: {reason}", reason=failure.getErrorMessage())
        )


def csrf_of(secret: str) -> str:
    """What forms send back: made of the session's secret, so that nothing more is kept, and telling nothing of it."""
    mac = hmac.digest(secret.encode(), b"csrf", hashlib.sha256)
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
