"""The public keys by which users come in over SSH."""

from __future__ import annotations

import sqlite3
from functools import partial

from msgspec import Struct
from twisted.internet.defer import Deferred

from iotcenter.model import Noun, Role
from iotcenter.storage.accounts import user_named
from iotcenter.storage.database import Database
from iotcenter.storage.errors import NameTaken, NotFound, StorageError
from iotcenter.storage.sql import Row, change, find, find_all, milliseconds, seconds, seconds_or_none, select

COLUMNS = "ssh_key.fingerprint, ssh_key.user, ssh_key.key, ssh_key.comment, ssh_key.created, ssh_key.last_used"
KEYS = f"SELECT {COLUMNS} FROM ssh_key WHERE user = ? ORDER BY created, fingerprint"
KEY = f"SELECT {COLUMNS} FROM ssh_key WHERE fingerprint = ?"
HOLDER = """
    SELECT user.name, user.role, user.time_zone FROM ssh_key JOIN user ON user.name = ssh_key.user
    WHERE ssh_key.fingerprint = ? AND ssh_key.user = ?
"""
COUNT = "SELECT count(*) FROM ssh_key WHERE user = ?"
ADD = "INSERT INTO ssh_key (fingerprint, user, key, comment, created) VALUES (?, ?, ?, ?, ?)"
REMOVE = "DELETE FROM ssh_key WHERE fingerprint = ? AND user = ?"
USED = "UPDATE ssh_key SET last_used = ? WHERE fingerprint = ?"

KEYS_OF_A_USER = 50
"""How many keys one user may have: one for each machine they work at, and some that they forgot."""


class TooManyKeys(StorageError):
    """This user has as many SSH keys as one may have: remove one first."""


class SshKey(Noun, frozen=True, omit_defaults=False):
    """A user's key as others see it. ``key`` is its type and itself in Base64; ``fingerprint`` is as ``ssh-keygen -l``
    shows it."""

    fingerprint: str
    user: str
    key: str
    comment: str
    created: float
    last_used: float | None = None


class Holder(Struct, frozen=True):
    """Whose key it is, and what they may do."""

    name: str
    role: Role
    time_zone: str


class SshKeys:
    """The table of users' keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, user: str) -> Deferred[tuple[SshKey, ...]]:
        """The keys of a user, oldest first. Fails with ``NotFound`` where there is no such user."""
        return self._database.read(partial(_all, user=user))

    def add(self, row: SshKey) -> Deferred[None]:
        """Keep a key. Fails with ``NotFound``, ``NameTaken`` or ``TooManyKeys``."""
        return self._database.write(partial(_add, row=row))

    def remove(self, user: str, fingerprint: str) -> Deferred[None]:
        """Forget a key of a user. Fails with ``NotFound``."""
        return self._database.write(partial(_remove, user=user, fingerprint=fingerprint))

    def holder(self, user: str, fingerprint: str) -> Deferred[Holder | None]:
        """That user as they are now, if that is a key of theirs."""
        return self._database.read(lambda connection: find(connection, _holder, HOLDER, fingerprint, user))

    def used(self, fingerprint: str, time: float) -> Deferred[int]:
        """Remember that a key was used."""
        return self._database.write(lambda connection: change(connection, USED, milliseconds(time), fingerprint))


def _all(connection: sqlite3.Connection, user: str) -> tuple[SshKey, ...]:
    user_named(connection, user)
    return find_all(connection, _row, KEYS, user)


def _add(connection: sqlite3.Connection, row: SshKey) -> None:
    user_named(connection, row.user)
    known = find(connection, _row, KEY, row.fingerprint)
    if known is not None:
        raise NameTaken("You have that key here already." if known.user == row.user else "Somebody else has that key.")
    if select(connection, COUNT, row.user)[0][0] >= KEYS_OF_A_USER:
        raise TooManyKeys
    change(connection, ADD, row.fingerprint, row.user, row.key, row.comment, milliseconds(row.created))


def _remove(connection: sqlite3.Connection, user: str, fingerprint: str) -> None:
    if change(connection, REMOVE, fingerprint, user) == 0:
        raise NotFound(f"{user} has no such key.")


def _row(row: Row) -> SshKey:
    fingerprint, user, key, comment, created, last_used = row
    return SshKey(fingerprint, user, key, comment, seconds(created), seconds_or_none(last_used))


def _holder(row: Row) -> Holder:
    name, role, time_zone = row
    return Holder(name, Role(role), time_zone)
