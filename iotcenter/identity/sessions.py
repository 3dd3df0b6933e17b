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

from iotcenter.finishing import finishing
from iotcenter.identity.digest import digest_of
from iotcenter.identity.users import canonical, user_of
from iotcenter.model import User
from iotcenter.storage.sessions import SessionRow
from iotcenter.storage.store import Store

IDLE = 14 * 86400.0
"""Seconds without a request after which a session ends."""

LONGEST = 90 * 86400.0
"""Seconds after which a session ends however much it is used."""

COARSE = 300.0
"""Seconds by which the time of last use may lag behind: a page that asks each second does not write each second."""

MAX_AGENT = 200
"""Characters of a browser's name for itself that are kept: what tells it from others stands in them."""

SECRET = r"[A-Za-z0-9_-]{43}"
"""What a session's secret looks like: 256 random bits."""


class Session(Struct, frozen=True):
    """A browser that is signed in as ``user``. ``csrf`` is what forms send back, to show that they are ours; ``id``
    tells the session from others without giving its secret away."""

    user: User
    csrf: str
    created: float
    expires: float
    id: str = ""

    def __repr__(self) -> str:
        return f"Session(user={self.user.name!r})"


class OpenSession(Struct, frozen=True):
    """A session as people see it: from which ``address`` the browser signed in, and which ``agent`` it said it is."""

    id: str
    created: float
    last_used: float
    address: str
    agent: str


class Sessions:
    """Every browser that is signed in. The secret is the browser's; only its SHA-256 is kept."""

    _log = Logger()

    def __init__(self, store: Store, seconds: Callable[[], float]) -> None:
        self._store = store.sessions
        self._seconds = seconds

    async def create(self, user_name: str, address: str = "", agent: str = "") -> str:
        """The secret of a new session for somebody who has just shown who they are, from that ``address``, with a
        browser that calls itself ``agent``. Fails with a ``StorageError``."""
        secret, now = secrets.token_urlsafe(32), self._seconds()
        await self._store.expire(now, now - IDLE)
        agent = "".join(filter(str.isprintable, agent[:MAX_AGENT]))
        await self._store.add(digest_of(secret), canonical(user_name), now, now + LONGEST, address, agent)
        return secret

    async def find(self, secret: str) -> Session | None:
        """The session with that secret while it lasts, which it does for longer now. Takes any text."""
        if re.fullmatch(SECRET, secret) is None:
            return None
        now, digest = self._seconds(), digest_of(secret)
        row = await self._store.find(digest)
        if row is None or now >= row.expires or now - row.last_used >= IDLE:
            return None
        if now - row.last_used >= COARSE:
            self._refresh(digest, now)
        return Session(user_of(row.user), csrf_of(secret), row.created, row.expires, _id(digest))

    async def end(self, secret: str) -> None:
        """Sign one browser out."""
        if re.fullmatch(SECRET, secret):
            await self._store.end(digest_of(secret))

    async def of(self, user_name: str) -> tuple[OpenSession, ...]:
        """The sessions of a user that last, the one that was used last first."""
        return tuple(
            OpenSession(_id(row.hash), row.created, row.last_used, row.address, row.agent)
            for row in await self._lasting(user_name)
        )

    @finishing
    async def end_some(self, user_name: str, chosen: Callable[[str], bool]) -> tuple[str, ...]:
        """Sign those browsers of a user out whose session's id is ``chosen``; the ids."""
        rows = [row for row in await self._lasting(user_name) if chosen(_id(row.hash))]
        await self._store.end(*(row.hash for row in rows))
        return tuple(_id(row.hash) for row in rows)

    async def _lasting(self, user_name: str) -> list[SessionRow]:
        now = self._seconds()
        rows = await self._store.of(canonical(user_name))
        return [row for row in rows if now < row.expires and now - row.last_used < IDLE]

    def _refresh(self, digest: bytes, now: float) -> None:
        """Nobody waits for this: a page must not fail because the disk is full."""
        self._store.use(digest, now).addErrback(
            lambda failure: self._log.warn("a session's use was not noted: {reason}", reason=failure.getErrorMessage())
        )


def _id(digest: bytes) -> str:
    return hashlib.sha256(b"session:" + digest).hexdigest()[:32]


def csrf_of(secret: str) -> str:
    """What forms send back: made of the session's secret, so that nothing more is kept, and telling nothing of it."""
    mac = hmac.digest(secret.encode(), b"csrf", hashlib.sha256)
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
