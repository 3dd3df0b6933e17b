"""Who may sign in: users, and the secrets of the links by which they come in for the first time or again.

Secrets come here as their SHA-256, and nothing else of them is kept.
"""

from __future__ import annotations

import sqlite3
from functools import partial

from msgspec import Struct
from twisted.internet.defer import Deferred

from iotcenter.model import Hours, Preferences, Role, Theme, UnitSystem
from iotcenter.storage.database import Database
from iotcenter.storage.errors import LastAdmin, NameTaken, NotFound, NotRedeemable
from iotcenter.storage.sql import (
    Row,
    change,
    find,
    find_all,
    milliseconds,
    seconds,
    select,
)

PREFERENCES = "user.time_zone, user.hours, user.units, user.theme, user.language"
USER_COLUMNS = f"user.name, user.role, user.password_hash, user.created, {PREFERENCES}"
USERS = f"SELECT {USER_COLUMNS} FROM user ORDER BY name"
USER = f"SELECT {USER_COLUMNS} FROM user WHERE name = ?"
COUNT_USERS = "SELECT count(*) FROM user"
OTHER_ADMINS = "SELECT count(*) FROM user WHERE role = 'admin' AND name <> ?"
ADD_USER = """
    INSERT INTO user (name, role, password_hash, created, time_zone, hours, units, theme, language)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
SET_PREFERENCES = "UPDATE user SET time_zone = ?, hours = ?, units = ?, theme = ?, language = ? WHERE name = ?"
SET_PASSWORD = "UPDATE user SET password_hash = ? WHERE name = ?"
SET_ROLE = "UPDATE user SET role = ? WHERE name = ?"
REMOVE_USER = "DELETE FROM user WHERE name = ?"

END_SESSIONS = "DELETE FROM session WHERE user = ?"

SET_SECRET = "INSERT OR REPLACE INTO secret (kind, hash, created, expires) VALUES (?, ?, ?, ?)"
SECRET = "SELECT kind, hash, created, expires FROM secret WHERE kind = ?"
SECRET_WITH = "SELECT kind, hash, created, expires FROM secret WHERE hash = ?"
DROP_SECRET = "DELETE FROM secret WHERE kind = ?"
TAKE_SECRET = "DELETE FROM secret WHERE kind = ? AND hash = ? AND expires > ?"

SETUP = "setup"
"""The kind of the secret in the setup link."""

RESET = "reset:"
"""How the kind of the secret in the link for a new password begins: the user's name follows."""


class UserRow(Struct, frozen=True):
    """Somebody who may sign in."""

    name: str
    role: Role
    password_hash: str
    created: float
    preferences: Preferences = Preferences()

    def __repr__(self) -> str:
        return f"UserRow(name={self.name!r}, role={self.role.value!r})"


class SecretRow(Struct, frozen=True):
    """A secret of which there is one of its kind."""

    kind: str
    hash: bytes
    created: float
    expires: float


class Accounts:
    """Users and secrets. What cannot be done fails with a ``StorageError``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def users(self) -> Deferred[tuple[UserRow, ...]]:
        """Everybody, by name."""
        return self._database.read(lambda connection: find_all(connection, user_from, USERS))

    def user(self, name: str) -> Deferred[UserRow | None]:
        """The user of that name, if there is one."""
        return self._database.read(partial(find_user, name=name))

    def count_users(self) -> Deferred[int]:
        """How many users there are; none means that the server is not set up yet."""
        return self._database.read(_count_users)

    def add_user(self, user: UserRow) -> Deferred[None]:
        """Let somebody sign in. Fails with ``NameTaken``."""
        return self._database.write(partial(_add_user, user=user))

    def set_password(self, name: str, password_hash: str) -> Deferred[None]:
        """Give a user another password and end all of their sessions, both or neither. Fails with ``NotFound``."""
        return self._database.write(partial(_set_password, name=name, password_hash=password_hash))

    def set_role(self, name: str, role: Role) -> Deferred[None]:
        """Fails with ``NotFound``, and with ``LastAdmin`` where nobody could manage the server any more."""
        return self._database.write(partial(_set_role, name=name, role=role))

    def set_preferences(self, name: str, preferences: Preferences) -> Deferred[None]:
        """How a user likes to see things. Fails with ``NotFound``."""
        return self._database.write(partial(_set_preferences, name=name, preferences=preferences))

    def remove_user(self, name: str) -> Deferred[None]:
        """Remove a user and all their sessions. Fails with ``NotFound`` or ``LastAdmin``."""
        return self._database.write(partial(_remove_user, name=name))

    def set_secret(self, secret: SecretRow) -> Deferred[int]:
        """Keep a secret; the former one of its kind counts no more."""
        values = secret.kind, secret.hash, milliseconds(secret.created), milliseconds(secret.expires)
        return self._database.write(lambda connection: change(connection, SET_SECRET, *values))

    def secret(self, kind: str) -> Deferred[SecretRow | None]:
        """The secret of that kind, if there is one; whether it still counts is for the caller to say."""
        return self._database.read(lambda connection: find(connection, _secret, SECRET, kind))

    def secret_with(self, digest: bytes) -> Deferred[SecretRow | None]:
        """The secret with that hash, whatever its kind."""
        return self._database.read(lambda connection: find(connection, _secret, SECRET_WITH, digest))

    def redeem_reset(self, digest: bytes, now: float, name: str, password_hash: str) -> Deferred[None]:
        """Spend the secret of a user's link on another password: both or neither. Fails with ``NotRedeemable``."""
        work = partial(_redeem_reset, digest=digest, now=now, name=name, password_hash=password_hash)
        return self._database.write(work)

    def redeem_setup(self, digest: bytes, now: float, user: UserRow) -> Deferred[None]:
        """Spend the setup link's secret on ``user``, the first of all: both or neither. Fails with
        ``NotRedeemable``."""
        return self._database.write(partial(_redeem_setup, digest=digest, now=now, user=user))


def user_from(row: Row) -> UserRow:
    """The user in the columns of ``USER_COLUMNS``."""
    name, role, password_hash, created, zone, hours, units, theme, language = row
    preferences = Preferences(zone, Hours(hours), UnitSystem(units), Theme(theme), language)
    return UserRow(name, Role(role), password_hash, seconds(created), preferences)


def _secret(row: Row) -> SecretRow:
    kind, digest, created, expires = row
    return SecretRow(kind, digest, seconds(created), seconds(expires))


def find_user(connection: sqlite3.Connection, name: str) -> UserRow | None:
    """The user of that name, if there is one."""
    return find(connection, user_from, USER, name)


def user_named(connection: sqlite3.Connection, name: str) -> UserRow:
    """The user of that name. Raises ``NotFound``."""
    user = find_user(connection, name)
    if user is None:
        raise NotFound(f"There is no user named {name}.")
    return user


def _add_user(connection: sqlite3.Connection, user: UserRow) -> None:
    if find_user(connection, user.name) is not None:
        raise NameTaken(f"There is already a user named {user.name}.")
    account = user.name, user.role.value, user.password_hash, milliseconds(user.created)
    change(connection, ADD_USER, *account, *_columns(user.preferences))


def _count_users(connection: sqlite3.Connection) -> int:
    [(count,)] = select(connection, COUNT_USERS)
    return int(count)


def _update_user(connection: sqlite3.Connection, statement: str, value: str, name: str) -> None:
    if change(connection, statement, value, name) == 0:
        raise NotFound(f"There is no user named {name}.")


def _set_password(connection: sqlite3.Connection, name: str, password_hash: str) -> None:
    _update_user(connection, SET_PASSWORD, password_hash, name)
    change(connection, END_SESSIONS, name)
    change(connection, DROP_SECRET, RESET + name)


def _set_preferences(connection: sqlite3.Connection, name: str, preferences: Preferences) -> None:
    if change(connection, SET_PREFERENCES, *_columns(preferences), name) == 0:
        raise NotFound(f"There is no user named {name}.")


def _columns(preferences: Preferences) -> tuple[str, ...]:
    """``preferences`` in the order of the columns."""
    chosen = preferences.hours.value, preferences.units.value, preferences.theme.value
    return preferences.time_zone, *chosen, preferences.language


def _set_role(connection: sqlite3.Connection, name: str, role: Role) -> None:
    if role is not Role.ADMIN:
        _keep_an_admin(connection, name)
    _update_user(connection, SET_ROLE, role.value, name)


def _remove_user(connection: sqlite3.Connection, name: str) -> None:
    _keep_an_admin(connection, name)
    change(connection, REMOVE_USER, name)
    change(connection, DROP_SECRET, RESET + name)


def _keep_an_admin(connection: sqlite3.Connection, leaving: str) -> None:
    """Raise ``LastAdmin`` where no administrator but ``leaving`` is left, ``NotFound`` where that is nobody."""
    if user_named(connection, leaving).role is Role.ADMIN and select(connection, OTHER_ADMINS, leaving) == [(0,)]:
        raise LastAdmin


def _redeem_reset(connection: sqlite3.Connection, digest: bytes, now: float, name: str, password_hash: str) -> None:
    if change(connection, TAKE_SECRET, RESET + name, digest, milliseconds(now)) == 0:
        raise NotRedeemable
    _set_password(connection, name, password_hash)


def _redeem_setup(connection: sqlite3.Connection, digest: bytes, now: float, user: UserRow) -> None:
    if change(connection, TAKE_SECRET, SETUP, digest, milliseconds(now)) == 0:
        raise NotRedeemable
    if _count_users(connection) > 0:
        raise NotRedeemable
    _add_user(connection, user)
