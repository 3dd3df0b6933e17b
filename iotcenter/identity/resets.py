"""The link by which somebody who forgot their password gets another."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from iotcenter.finishing import finishing
from iotcenter.identity.digest import digest_of
from iotcenter.identity.users import Users, canonical
from iotcenter.interfaces import Refused
from iotcenter.storage.accounts import RESET, SecretRow
from iotcenter.storage.errors import NotFound, NotRedeemable
from iotcenter.storage.store import Store
from iotcenter.texts import _

LIFETIME = 86400.0
"""Seconds for which a link is good."""

MAX_LENGTH = 64
"""The longest text that is looked at: a secret has 43 characters."""


class ResetLinks:
    """One secret for each user, good once, for a day. A new one replaces the former, and so does a new password."""

    def __init__(self, store: Store, users: Users, seconds: Callable[[], float]) -> None:
        self._store = store.accounts
        self._users = users
        self._seconds = seconds

    @finishing
    async def issue(self, name: str) -> tuple[str, float]:
        """The secret for a link of that user, and when it expires. Fails with ``NotFound``."""
        name = canonical(name)
        if await self._store.user(name) is None:
            raise NotFound(f"There is no user named {name}.")
        secret, now = secrets.token_urlsafe(32), self._seconds()
        await self._store.set_secret(SecretRow(RESET + name, digest_of(secret), now, now + LIFETIME))
        return secret, now + LIFETIME

    async def check(self, secret: str) -> str | None:
        """Whose link has that secret, where it is good now. Takes any text."""
        if not 0 < len(secret) <= MAX_LENGTH or not secret.isascii():
            return None
        kept = await self._store.secret_with(digest_of(secret))
        if kept is None or not kept.kind.startswith(RESET) or self._seconds() >= kept.expires:
            return None
        return kept.kind.removeprefix(RESET)

    @finishing
    async def redeem(self, secret: str, password: str) -> str:
        """Give the link's user that password, and sign all of their browsers out; their name. Raises ``Refused``; after
        ``Unfit``, the link is still good."""
        name = await self.check(secret)
        if name is None:
            raise _not_good()
        try:
            hashed = await self._users.hash(password)
            await self._store.redeem_reset(digest_of(secret), self._seconds(), name, hashed)
        except (NotRedeemable, NotFound):
            raise _not_good() from None
        return name


def _not_good() -> Refused:
    return Refused(_("this link was used, or has expired: ask an admin for another"))
