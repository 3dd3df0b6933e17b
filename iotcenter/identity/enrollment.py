"""Enrollment tokens: how a new device, or one that shall have a new key, is let in."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from enum import StrEnum

from iotcenter.identity.authority import Authority
from iotcenter.identity.digest import digest_of
from iotcenter.identity.errors import Unfit
from iotcenter.interfaces import Refused
from iotcenter.model import is_device_name
from iotcenter.storage.enrollments import EnrollmentRow
from iotcenter.storage.store import Store
from iotcenter.texts import _
from iotcenter.wire.token import Token

DEFAULT_LIFETIME = 30 * 60.0
"""How long a token is good, in seconds: time enough to walk over to the device."""

MAX_LIFETIME = 30 * 86400.0
"""How long it may be good at most, such as for boards that are prepared here and mounted elsewhere."""

MAX_OPEN = 1000
"""How many tokens may be open: a page lists them all."""

HOST = r"[A-Za-z0-9]([A-Za-z0-9.:_-]{0,252})|:[0-9A-Fa-f:.]{1,45}"
"""A host name or an address, as far as a device can try to reach it."""


class EnrollmentState(StrEnum):
    """What has become of a token."""

    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"


class Enrollments:
    """Every token that was given out. ``Accounts.enroll`` redeems them."""

    def __init__(self, store: Store, authority: Authority, seconds: Callable[[], float]) -> None:
        self._store = store.enrollments
        self._authority = authority
        self._seconds = seconds

    async def issue(self, name: str, lifetime: float, actor: str, address: tuple[str, int]) -> str:
        """A token for the device ``name``, good once and for ``lifetime`` seconds; nobody can be told it again.

        Where there is a device of that name, it will have the new key and no other. ``address`` is the host and port at
        which the device reaches the server. Raises ``Refused``.
        """
        require_device_name(name)
        if not 0 < lifetime <= MAX_LIFETIME:
            raise Unfit("lifetime", _("a token is good for %(days)s days at most", days=int(MAX_LIFETIME // 86400)))
        token = self._token(*address)
        if len(await self.open()) >= MAX_OPEN:
            raise Refused(_("%(most)s tokens are open: withdraw some of them", most=MAX_OPEN))
        now = self._seconds()
        await self._store.add(digest_of(token.secret), name, actor, now, now + lifetime)
        return token.text()

    async def find(self, secret: bytes) -> EnrollmentRow | None:
        """The token with that secret, also where it was used or has expired."""
        return await self._store.find(digest_of(secret))

    async def open(self) -> tuple[EnrollmentRow, ...]:
        """The tokens that can still be used, oldest first."""
        return await self._store.open(self._seconds())

    async def withdraw(self, enrollment: int) -> None:
        """Make a token worthless. Fails with storage's ``NotFound`` where it is not open."""
        await self._store.withdraw(enrollment)

    def state(self, enrollment: EnrollmentRow) -> EnrollmentState:
        """What has become of a token by now."""
        return state_of(enrollment, self._seconds())

    def _token(self, host: str, port: int) -> Token:
        if re.fullmatch(HOST, host) is None or not 1 <= port <= 65535:
            raise Unfit("address", _("an address is a host name or an IP address, and a port"))
        return Token(host, port, self._authority.fingerprint, secrets.token_bytes(16))


def require_device_name(name: str) -> None:
    """Raise ``Unfit`` unless a device may be called ``name``."""
    if not is_device_name(name):
        raise Unfit("name", _("a device's name has up to 63 letters (a to z), digits and hyphens, none at its ends"))


def state_of(enrollment: EnrollmentRow, now: float) -> EnrollmentState:
    """What has become of a token at ``now``."""
    if enrollment.used is not None:
        return EnrollmentState.USED
    return EnrollmentState.OPEN if enrollment.is_open(now) else EnrollmentState.EXPIRED
