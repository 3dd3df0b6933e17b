"""Browsers that are signed in. Their secrets come here as their SHA-256, and nothing else of them is kept."""

from __future__ import annotations

import sqlite3
from functools import partial

from msgspec import Struct
from twisted.internet.defer import Deferred

from iotcenter.storage.accounts import USER_COLUMNS, UserRow, user_from, user_named
from iotcenter.storage.database import Database
from iotcenter.storage.sql import Row, change, find, find_all, milliseconds, seconds

COLUMNS = "session.hash, session.created, session.last_used, session.expires, session.address, session.agent"
ADD = """
    INSERT INTO session (hash, user, created, last_used, expires, address, agent) VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6)
"""
DROP_OLD = """
    DELETE FROM session WHERE user = ?1 AND hash NOT IN (
        SELECT hash FROM session WHERE user = ?1 ORDER BY last_used DESC LIMIT ?2)
"""
FROM = f"SELECT {COLUMNS}, {USER_COLUMNS} FROM session JOIN user ON user.name = session.user"
SESSION = f"{FROM} WHERE session.hash = ?"
SESSIONS_OF = f"{FROM} WHERE session.user = ? ORDER BY session.last_used DESC, session.hash"
USE = "UPDATE session SET last_used = ? WHERE hash = ?"
END = "DELETE FROM session WHERE hash = ?"
EXPIRE = "DELETE FROM session WHERE expires <= ? OR last_used <= ?"

SESSIONS_OF_A_USER = 100
"""How many sessions one user may have: far more than browsers. The one that was unused for longest makes room, so that
signing in again and again fills no disk."""


class SessionRow(Struct, frozen=True):
    """A browser that is signed in: from which address it came then, and what it said that it is."""

    hash: bytes
    user: UserRow
    created: float
    last_used: float
    expires: float
    address: str = ""
    agent: str = ""

    def __repr__(self) -> str:
        return f"SessionRow(user={self.user.name!r})"


class Sessions:
    """What cannot be done fails with a ``StorageError``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, digest: bytes, user: str, created: float, expires: float, address: str = "", agent: str = ""
    ) -> Deferred[None]:
        """Remember a browser that signed in. Fails with ``NotFound`` where the user is gone."""
        row = digest, user, milliseconds(created), milliseconds(expires), address, agent
        return self._database.write(partial(_add, row=row))

    def find(self, digest: bytes) -> Deferred[SessionRow | None]:
        """The session with that secret, if there is one; whether it still counts is for the caller to say."""
        return self._database.read(lambda connection: find(connection, _session, SESSION, digest))

    def of(self, user: str) -> Deferred[tuple[SessionRow, ...]]:
        """All sessions of a user, the one that was used last first."""
        return self._database.read(lambda connection: find_all(connection, _session, SESSIONS_OF, user))

    def use(self, digest: bytes, time: float) -> Deferred[int]:
        """Remember that a session was used."""
        return self._database.write(lambda connection: change(connection, USE, milliseconds(time), digest))

    def end(self, *digests: bytes) -> Deferred[int]:
        """Sign browsers out; how many there were."""
        return self._database.write(lambda connection: sum(change(connection, END, digest) for digest in digests))

    def expire(self, now: float, unused_since: float) -> Deferred[int]:
        """Forget the sessions that have expired, and those that were last used at ``unused_since`` or before."""
        times = milliseconds(now), milliseconds(unused_since)
        return self._database.write(lambda connection: change(connection, EXPIRE, *times))


def _session(row: Row) -> SessionRow:
    digest, created, last_used, expires, address, agent, *user = row
    return SessionRow(
        digest, user_from(tuple(user)), seconds(created), seconds(last_used), seconds(expires), address, agent
    )


def _add(connection: sqlite3.Connection, row: Row) -> None:
    user = row[1]
    user_named(connection, user)
    change(connection, ADD, *row)
    change(connection, DROP_OLD, user, SESSIONS_OF_A_USER)
