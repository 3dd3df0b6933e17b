"""What devices were told to do, and what became of it. Arguments and results are kept as the JSON that they came as."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import Any

from msgspec import Struct
from twisted.internet.defer import Deferred

from iotcenter.model import CommandState, DeviceId
from iotcenter.storage.database import Database
from iotcenter.storage.devices import check_device
from iotcenter.storage.errors import NotFound
from iotcenter.storage.sql import Row, change, find, find_all, milliseconds, seconds, select

COLUMNS = "id, device, name, args, actor, created, changed, expires, state, result, error"
PENDING = "state IN ('queued', 'sent', 'received')"
ADD = """
    INSERT INTO command (device, name, args, actor, created, changed, expires, state)
    VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7) RETURNING id
"""
PRUNE = f"""
    DELETE FROM command WHERE device = ?1 AND NOT {PENDING}
    AND id <= (SELECT id FROM command WHERE device = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
"""
UPDATE = "UPDATE command SET state = ?, changed = ?, result = ?, error = ? WHERE id = ?"
BY_ID = f"SELECT {COLUMNS} FROM command WHERE id = ?"
RECENT = f"SELECT {COLUMNS} FROM command WHERE device = ? ORDER BY id DESC LIMIT ?"
ALL_PENDING = f"SELECT {COLUMNS} FROM command INDEXED BY command_pending WHERE {PENDING} ORDER BY id"

KEPT = 1000
"""Commands kept of each device, besides those that are not over yet: a program that sends many fills no disk."""


class CommandRow(Struct, frozen=True):
    """A command as it is kept."""

    id: int
    device: DeviceId
    name: str
    args_json: str
    actor: str
    created: float
    changed: float
    expires: float
    state: CommandState
    result_json: str | None = None
    error: str | None = None


class Commands:
    """The table of commands."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        device: DeviceId,
        name: str,
        args_json: str,
        actor: str,
        created: float,
        expires: float,
        state: CommandState,
    ) -> Deferred[int]:
        """Record a command; fires with its id, which no other ever had or will have. Fails with ``NotFound``."""
        values = name, args_json, actor, milliseconds(created), milliseconds(expires), state.value
        return self._database.write(partial(_add, device=device, values=values))

    def update(
        self,
        command: int,
        state: CommandState,
        changed: float,
        result_json: str | None = None,
        error: str | None = None,
    ) -> Deferred[None]:
        """Record what became of a command. Fails with ``NotFound``."""
        values = state.value, milliseconds(changed), result_json, error, command
        return self._database.write(partial(_update, values=values))

    def get(self, command: int) -> Deferred[CommandRow]:
        """The command with that id. Fails with ``NotFound``."""
        return self._database.read(partial(_get, command=command))

    def recent(self, device: DeviceId, limit: int = 50) -> Deferred[tuple[CommandRow, ...]]:
        """The newest commands of a device, the newest first."""
        return self._rows(RECENT, device, min(limit, KEPT))

    def pending(self) -> Deferred[tuple[CommandRow, ...]]:
        """The commands of all devices that are not over yet, oldest first."""
        return self._rows(ALL_PENDING)

    def _rows(self, query: str, *parameters: Any) -> Deferred[tuple[CommandRow, ...]]:
        return self._database.read(lambda connection: find_all(connection, _command, query, *parameters))


def _add(connection: sqlite3.Connection, device: DeviceId, values: tuple[Any, ...]) -> int:
    check_device(connection, device)
    [(command,)] = select(connection, ADD, device, *values)
    change(connection, PRUNE, device, KEPT)
    return int(command)


def _update(connection: sqlite3.Connection, values: tuple[Any, ...]) -> None:
    if change(connection, UPDATE, *values) == 0:
        raise NotFound("There is no such command.")


def _get(connection: sqlite3.Connection, command: int) -> CommandRow:
    row = find(connection, _command, BY_ID, command)
    if row is None:
        raise NotFound("There is no such command.")
    return row


def _command(row: Row) -> CommandRow:
    number, device, name, args, actor, created, changed, expires, state, result, error = row
    times = seconds(created), seconds(changed), seconds(expires)
    return CommandRow(number, device, name, args, actor, *times, CommandState(state), result, error)
