"""The people who may sign in: their names, roles and passwords."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable

from twisted.logger import Logger

from iotcenter.finishing import finishing
from iotcenter.identity.errors import Overloaded, TooManyTries, Unfit
from iotcenter.identity.passwords import Passwords
from iotcenter.identity.throttle import Throttle, network_of
from iotcenter.interfaces import Clock
from iotcenter.model import Preferences, Role, User
from iotcenter.storage.accounts import UserRow
from iotcenter.storage.store import Store
from iotcenter.texts import _

NAME = r"[a-z0-9._@-]{1,64}"
"""What a user may be called, once it is in lower case."""

TRIES_OF_ACCOUNT = 10
"""How often a minute one account may be tried (OWASP ASVS 6.3.1). A try that succeeds is not counted."""

TRIES_OF_ADDRESS = 30
"""The same from one address: several people may be behind it."""


class Users:
    """Everybody who may sign in. Names are the same in upper and lower case, and kept in lower case.

    What cannot be done fails with ``Refused``, whose text is for the person who asked, or with a ``StorageError``:
    ``NotFound``, ``NameTaken``, ``LastAdmin``.
    """

    _log = Logger()

    def __init__(self, store: Store, clock: Clock, passwords: Passwords) -> None:
        self._store = store.accounts
        self._seconds = clock.seconds
        self._passwords = passwords
        self._of_account = Throttle(TRIES_OF_ACCOUNT, clock.seconds)
        self._of_address = Throttle(TRIES_OF_ADDRESS, clock.seconds)
        self.changed: Callable[[str], None] = lambda _: None
        """Told of each user whose role changed, and who is no more."""

    async def list(self) -> tuple[User, ...]:
        """Everybody, by name."""
        return tuple(user_of(row) for row in await self._store.users())

    async def count(self) -> int:
        """How many there are; none means that the server is not set up yet."""
        return await self._store.count_users()

    async def add(self, name: str, role: Role, password: str, time_zone: str = "UTC") -> User:
        """Let somebody sign in."""
        row = await self.prepare(name, role, password, time_zone)
        await self._store.add_user(row)
        return user_of(row)

    async def prepare(self, name: str, role: Role, password: str, time_zone: str) -> UserRow:
        """A user as storage takes them, the password hashed; nothing is stored yet. Fails with ``Unfit``."""
        name = canonical(name)
        if not _is_name(name):
            raise Unfit("name", _("a name has 1 to 64 letters (a to z), digits and . _ - @"))
        _require_time_zone(time_zone)
        hashed = await self._passwords.hash(password)
        return UserRow(name, role, hashed, self._seconds(), Preferences(time_zone))

    async def authenticate(self, name: str, password: str, source: str = "") -> User | None:
        """The user of that name, if that is the password. ``source`` is the address from which somebody tries.

        Takes as long where there is no such user. Fails with ``TooManyTries`` for an account or an address that was
        tried too often, and with ``Overloaded``. Sessions and API tokens are not slowed down by that.
        """
        if self._passwords.full:
            raise Overloaded
        account, network = canonical(name)[:64], network_of(source)
        left = self._spend(network, account)
        row = await self._store.user(account) if _is_name(canonical(name)) else None
        if not await self._passwords.verify(row.password_hash if row else None, password) or row is None:
            # Of a name that nobody has not even the name: it may be a password in the wrong field.
            who = row.name if row else "nobody who exists"
            self._log.warn(
                "{source!r} failed to sign in as {who}; {left} tries left", source=source, who=who, left=left
            )
            return None
        self._of_address.give_back(network)
        self._of_account.give_back(account)
        return user_of(row)

    def _spend(self, network: str, account: str) -> int:
        """One try of both; how many are left. Where the account has none, nothing is tried: others who come from there
        are not to suffer for it."""
        of_address = self._of_address.spend(network)
        try:
            return min(of_address, self._of_account.spend(account))
        except TooManyTries:
            self._of_address.give_back(network)
            raise

    @finishing
    async def set_password(self, name: str, password: str) -> None:
        """Give a user another password, and sign all of their browsers out."""
        await self._store.set_password(canonical(name), await self.hash(password))

    async def hash(self, password: str) -> str:
        """What is kept of a password. Fails with ``Unfit`` or ``Overloaded``."""
        return await self._passwords.hash(password)

    @finishing
    async def set_role(self, name: str, role: Role) -> None:
        """Let a user do more or less, from their next request on. The last admin stays one."""
        await self._store.set_role(canonical(name), role)
        self.changed(canonical(name))

    @finishing
    async def set_preferences(self, name: str, preferences: Preferences) -> None:
        """How a user sees things, from their next request on."""
        _require_time_zone(preferences.time_zone)
        await self._store.set_preferences(canonical(name), preferences)

    @finishing
    async def remove(self, name: str) -> None:
        """Shut somebody out, who is signed out everywhere. The last admin stays."""
        await self._store.remove_user(canonical(name))
        self.changed(canonical(name))

    def close(self) -> None:
        """End the thread in which passwords are checked."""
        self._passwords.close()


def canonical(name: str) -> str:
    """How the name of a user is kept."""
    return name.lower()


def user_of(row: UserRow) -> User:
    """``row`` without what is nobody's business."""
    return User(row.name, row.role, row.created, row.preferences)


def _is_name(name: str) -> bool:
    return re.fullmatch(NAME, name) is not None


def _require_time_zone(name: str) -> None:
    """Raise ``Unfit`` unless that is a time zone that this machine knows."""
    try:
        if name == "UTC" or zoneinfo.ZoneInfo(name).key:
            return
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        pass
    raise Unfit("time_zone", _("that is no time zone: one is called like Europe/Berlin"))
