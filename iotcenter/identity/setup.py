"""The setup link: how the first user comes to be."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable

from iotcenter.identity.digest import digest_of
from iotcenter.identity.users import Users, user_of
from iotcenter.interfaces import Refused
from iotcenter.model import Role, User
from iotcenter.storage.accounts import SETUP, SecretRow
from iotcenter.storage.errors import NotRedeemable
from iotcenter.storage.store import Store

LIFETIME = 86400.0
"""Seconds for which a link is good."""

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz"
"""Digits and letters that are not mistaken for one another, should somebody have to type the link."""

GROUPS = 4
"""Groups of four characters: 92 bits, which nobody guesses within a day."""

MAX_LENGTH = 64
"""The longest text that is looked at."""


class SetupLink:
    """One secret, good once, for a day, and only while there are no users. A new one replaces the former."""

    def __init__(self, store: Store, users: Users, seconds: Callable[[], float]) -> None:
        self._store = store.accounts
        self._users = users
        self._seconds = seconds

    async def issue(self) -> str:
        """The secret for a new link. Raises ``Refused`` where there are users."""
        if await self._users.count():
            raise Refused("there are users already; use iotcenter user passwd")
        secret, now = _new_secret(), self._seconds()
        await self._store.set_secret(SecretRow(SETUP, digest_of(secret), now, now + LIFETIME))
        return secret

    async def check(self, secret: str) -> bool:
        """Whether the link with that secret would be good now. Takes any text."""
        if len(secret) > MAX_LENGTH or not secret.isascii() or await self._users.count():
            return False
        kept = await self._store.secret(SETUP)
        return kept is not None and self._seconds() < kept.expires and hmac.compare_digest(kept.hash, digest_of(secret))

    async def redeem(self, secret: str, name: str, password: str, time_zone: str) -> User:
        """Make the first user, an admin. Raises ``Refused``; after ``Unfit``, the link is still good."""
        if not await self.check(secret):
            raise _not_good()
        row = await self._users.prepare(name, Role.ADMIN, password, time_zone)
        if not await self.check(secret):  # hashing took its time
            raise _not_good()
        try:
            await self._store.redeem_setup(digest_of(secret), self._seconds(), row)
        except NotRedeemable:
            raise _not_good() from None
        return user_of(row)


def _not_good() -> Refused:
    return Refused("this link was used, or has expired: iotcenter setup-link prints a new one while there are no users")


def _new_secret() -> str:
    return "-".join("".join(secrets.choice(ALPHABET) for _character in range(4)) for _group in range(GROUPS))
