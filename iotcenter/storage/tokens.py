"""API tokens. Their secrets come here as their SHA-256, and nothing else of them is kept."""

from __future__ import annotations

import sqlite3
from functools import partial

from msgspec import Struct
from twisted.internet.defer import Deferred

from iotcenter.model import Role
from iotcenter.storage.database import Database
from iotcenter.storage.errors import NameTaken, NotFound
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

FROM = """
    SELECT token.name, token.role, token.created, token.expires, token.last_used, token.owner, user.role
    FROM token LEFT JOIN user ON user.name = token.owner
"""
TOKENS = f"{FROM} ORDER BY token.name"
TOKEN_NAMED = f"{FROM} WHERE token.name = ?"
TOKEN = f"{FROM} WHERE token.hash = ?"
COUNT_OF = "SELECT count(*) FROM token WHERE owner IS ?"
ADD = "INSERT INTO token (name, hash, role, created, expires, owner) VALUES (?, ?, ?, ?, ?, ?)"
USE = "UPDATE token SET last_used = ? WHERE hash = ?"
REMOVE = "DELETE FROM token WHERE name = ?"

TOKENS_OF_AN_OWNER = 100
"""How many tokens one user may have: far more than programs, so that making them fills no disk."""


class TooManyTokens(NameTaken):
    """A user has as many tokens as one may have."""


class ApiToken(Struct, frozen=True):
    """A program's way in, without its secret. One without ``expires`` lasts until it is removed; one with an ``owner``
    may never do more than they, and goes with them."""

    name: str
    role: Role
    created: float
    expires: float | None = None
    last_used: float | None = None
    owner: str | None = None


class Tokens:
    """What cannot be done fails with a ``StorageError``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, digest: bytes, token: ApiToken) -> Deferred[None]:
        """Let a program in. Fails with ``NameTaken``."""
        return self._database.write(partial(_add, digest=digest, token=token))

    def find(self, digest: bytes) -> Deferred[ApiToken | None]:
        """The token with that secret, if there is one; whether it still counts is for the caller to say. Its role is at
        most that of its owner."""
        return self._database.read(lambda connection: find(connection, _token, TOKEN, digest))

    def named(self, name: str) -> Deferred[ApiToken | None]:
        """The token of that name, if there is one."""
        return self._database.read(lambda connection: find(connection, _token, TOKEN_NAMED, name))

    def all(self) -> Deferred[tuple[ApiToken, ...]]:
        """Every token, by name."""
        return self._database.read(lambda connection: find_all(connection, _token, TOKENS))

    def use(self, digest: bytes, time: float) -> Deferred[int]:
        """Remember that a token was used."""
        return self._database.write(lambda connection: change(connection, USE, milliseconds(time), digest))

    def remove(self, name: str) -> Deferred[None]:
        """Shut a program out. Fails with ``NotFound``."""
        return self._database.write(partial(_remove, name=name))


def _token(row: Row) -> ApiToken:
    name, role, created, expires, last_used, owner, most = row
    allowed = Role(role) if most is None or Role(most).covers(Role(role)) else Role(most)
    return ApiToken(name, allowed, seconds(created), seconds_or_none(expires), seconds_or_none(last_used), owner)


def _add(connection: sqlite3.Connection, digest: bytes, token: ApiToken) -> None:
    if find(connection, _token, TOKEN_NAMED, token.name) is not None:
        raise NameTaken(f"There is already a token named {token.name}.")
    [(count,)] = select(connection, COUNT_OF, token.owner)
    if token.owner is not None and count >= TOKENS_OF_AN_OWNER:
        raise TooManyTokens(f"{token.owner} has {count} tokens already: remove one first.")
    expires = milliseconds_or_null(token.expires)
    change(connection, ADD, token.name, digest, token.role.value, milliseconds(token.created), expires, token.owner)


def _remove(connection: sqlite3.Connection, name: str) -> None:
    if change(connection, REMOVE, name) == 0:
        raise NotFound(f"There is no token named {name}.")
