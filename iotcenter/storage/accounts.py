"""Who may come in on the web: users, their sessions, API tokens, and the secret of the setup link.

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
    milliseconds_or_null,
    seconds,
    seconds_or_none,
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

ADD_SESSION = "INSERT INTO session (hash, user, created, last_used, expires) VALUES (?, ?, ?, ?, ?)"
DROP_OLD_SESSIONS = """
    DELETE FROM session WHERE user = ?1 AND hash NOT IN (
        SELECT hash FROM session WHERE user = ?1 ORDER BY last_used DESC LIMIT ?2)
"""
SESSION = f"""
    SELECT {USER_COLUMNS}, session.created, session.last_used, session.expires
    FROM session JOIN user ON user.name = session.user WHERE session.hash = ?
"""
USE_SESSION = "UPDATE session SET last_used = ? WHERE hash = ?"
END_SESSION = "DELETE FROM session WHERE hash = ?"
END_SESSIONS = "DELETE FROM session WHERE user = ?"
EXPIRE_SESSIONS = "DELETE FROM session WHERE expires <= ? OR last_used <= ?"

TOKEN_COLUMNS = "name, role, created, expires, last_used"
ADD_TOKEN = "INSERT INTO token (name, hash, role, created, expires) VALUES (?, ?, ?, ?, ?)"
TOKENS = f"SELECT {TOKEN_COLUMNS} FROM token ORDER BY name"
TOKEN_NAMED = f"SELECT {TOKEN_COLUMNS} FROM token WHERE name = ?"
TOKEN = f"SELECT {TOKEN_COLUMNS} FROM token WHERE hash = ?"
USE_TOKEN = "UPDATE token SET last_used = ? WHERE hash = ?"
REMOVE_TOKEN = "DELETE FROM token WHERE name = ?"

SET_SECRET = "INSERT OR REPLACE INTO secret (kind, hash, created, expires) VALUES (?, ?, ?, ?)"
SECRET = "SELECT kind, hash, created, expires FROM secret WHERE kind = ?"
TAKE_SECRET = "DELETE FROM secret WHERE kind = ? AND hash = ? AND expires > ?"

SETUP = "setup"
"""The kind of the secret in the setup link."""

SESSIONS_OF_A_USER = 100
"""How many sessions one user may have: far more than browsers. The one that was unused for longest makes room, so that
signing in again and again fills no disk."""


class UserRow(Struct, frozen=True):
    """Somebody who may sign in."""

    name: str
    role: Role
    password_hash: str
    created: float
    preferences: Preferences = Preferences()

    def __repr__(self) -> str:
        return f"UserRow(name={self.name!r}, role={self.role.value!r})"


class SessionRow(Struct, frozen=True):
    """A browser that is signed in."""

    user: UserRow
    created: float
    last_used: float
    expires: float


class TokenRow(Struct, frozen=True):
    """A program's way in. One without ``expires`` lasts until it is removed."""

    name: str
    role: Role
    created: float
    expires: float | None = None
    last_used: float | None = None


class SecretRow(Struct, frozen=True):
    """A secret of which there is one of its kind."""

    kind: str
    hash: bytes
    created: float
    expires: float


class Accounts:
    """Users, sessions, tokens and secrets. What cannot be done fails with a ``StorageError``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def users(self) -> Deferred[tuple[UserRow, ...]]:
        """Everybody, by name."""
        return self._database.read(lambda connection: find_all(connection, _user, USERS))

    def user(self, name: str) -> Deferred[UserRow | None]:
        """The user of that name, if there is one."""
        return self._database.read(partial(_find_user, name=name))

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

    def add_session(self, digest: bytes, user: str, created: float, expires: float) -> Deferred[None]:
        """Remember a browser that signed in. Fails with ``NotFound`` where the user is gone."""
        return self._database.write(partial(_add_session, digest=digest, user=user, created=created, expires=expires))

    def session(self, digest: bytes) -> Deferred[SessionRow | None]:
        """The session with that secret, if there is one; whether it still counts is for the caller to say."""
        return self._database.read(lambda connection: find(connection, _session, SESSION, digest))

    def use_session(self, digest: bytes, time: float) -> Deferred[int]:
        """Remember that a session was used."""
        return self._database.write(lambda connection: change(connection, USE_SESSION, milliseconds(time), digest))

    def end_session(self, digest: bytes) -> Deferred[int]:
        """Sign one browser out; how many there were."""
        return self._database.write(lambda connection: change(connection, END_SESSION, digest))

    def expire_sessions(self, now: float, unused_since: float) -> Deferred[int]:
        """Forget the sessions that have expired, and those that were last used at ``unused_since`` or before."""
        times = milliseconds(now), milliseconds(unused_since)
        return self._database.write(lambda connection: change(connection, EXPIRE_SESSIONS, *times))

    def add_token(self, digest: bytes, token: TokenRow) -> Deferred[None]:
        """Let a program in. Fails with ``NameTaken``."""
        return self._database.write(partial(_add_token, digest=digest, token=token))

    def token(self, digest: bytes) -> Deferred[TokenRow | None]:
        """The token with that secret, if there is one; whether it still counts is for the caller to say."""
        return self._database.read(lambda connection: find(connection, _token, TOKEN, digest))

    def tokens(self) -> Deferred[tuple[TokenRow, ...]]:
        """Every token, by name."""
        return self._database.read(lambda connection: find_all(connection, _token, TOKENS))

    def use_token(self, digest: bytes, time: float) -> Deferred[int]:
        """Remember that a token was used."""
        return self._database.write(lambda connection: change(connection, USE_TOKEN, milliseconds(time), digest))

    def remove_token(self, name: str) -> Deferred[None]:
        """Shut a program out. Fails with ``NotFound``."""
        return self._database.write(partial(_remove_token, name=name))

    def set_secret(self, secret: SecretRow) -> Deferred[int]:
        """Keep a secret; the former one of its kind counts no more."""
        values = secret.kind, secret.hash, milliseconds(secret.created), milliseconds(secret.expires)
        return self._database.write(lambda connection: change(connection, SET_SECRET, *values))

    def secret(self, kind: str) -> Deferred[SecretRow | None]:
        """The secret of that kind, if there is one; whether it still counts is for the caller to say."""
        return self._database.read(lambda connection: find(connection, _secret, SECRET, kind))

    def redeem_setup(self, digest: bytes, now: float, user: UserRow) -> Deferred[None]:
        """Spend the setup link's secret on ``user``, the first of all: both or neither. Fails with
        ``NotRedeemable``."""
        return self._database.write(partial(_redeem_setup, digest=digest, now=now, user=user))


def _user(row: Row) -> UserRow:
    name, role, password_hash, created, zone, hours, units, theme, language = row
    preferences = Preferences(zone, Hours(hours), UnitSystem(units), Theme(theme), language)
    return UserRow(name, Role(role), password_hash, seconds(created), preferences)


def _session(row: Row) -> SessionRow:
    return SessionRow(_user(row[:-3]), *map(seconds, row[-3:]))


def _token(row: Row) -> TokenRow:
    name, role, created, expires, last_used = row
    return TokenRow(name, Role(role), seconds(created), seconds_or_none(expires), seconds_or_none(last_used))


def _secret(row: Row) -> SecretRow:
    kind, digest, created, expires = row
    return SecretRow(kind, digest, seconds(created), seconds(expires))


def _find_user(connection: sqlite3.Connection, name: str) -> UserRow | None:
    return find(connection, _user, USER, name)


def _add_user(connection: sqlite3.Connection, user: UserRow) -> None:
    if _find_user(connection, user.name) is not None:
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


def _keep_an_admin(connection: sqlite3.Connection, leaving: str) -> None:
    """Raise ``LastAdmin`` where no administrator but ``leaving`` is left, ``NotFound`` where that is nobody."""
    user = _find_user(connection, leaving)
    if user is None:
        raise NotFound(f"There is no user named {leaving}.")
    if user.role is Role.ADMIN and select(connection, OTHER_ADMINS, leaving) == [(0,)]:
        raise LastAdmin


def _add_session(connection: sqlite3.Connection, digest: bytes, user: str, created: float, expires: float) -> None:
    if _find_user(connection, user) is None:
        raise NotFound(f"There is no user named {user}.")
    change(connection, ADD_SESSION, digest, user, milliseconds(created), milliseconds(created), milliseconds(expires))
    change(connection, DROP_OLD_SESSIONS, user, SESSIONS_OF_A_USER)


def _add_token(connection: sqlite3.Connection, digest: bytes, token: TokenRow) -> None:
    if find(connection, _token, TOKEN_NAMED, token.name) is not None:
        raise NameTaken(f"There is already a token named {token.name}.")
    expires = milliseconds_or_null(token.expires)
    change(connection, ADD_TOKEN, token.name, digest, token.role.value, milliseconds(token.created), expires)


def _remove_token(connection: sqlite3.Connection, name: str) -> None:
    if change(connection, REMOVE_TOKEN, name) == 0:
        raise NotFound(f"There is no token named {name}.")


def _redeem_setup(connection: sqlite3.Connection, digest: bytes, now: float, user: UserRow) -> None:
    if change(connection, TAKE_SECRET, SETUP, digest, milliseconds(now)) == 0:
        raise NotRedeemable
    if _count_users(connection) > 0:
        raise NotRedeemable
    _add_user(connection, user)
