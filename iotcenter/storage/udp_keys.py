"""The keys of devices over UDP, sealed, with the counters and addresses that must outlive the server."""

from __future__ import annotations

import sqlite3
from functools import partial

from msgspec import Struct
from twisted.internet.defer import Deferred

from iotcenter.model import DeviceId
from iotcenter.storage.database import Database
from iotcenter.storage.devices import DeviceRow, add_device, check_device
from iotcenter.storage.errors import NotFound
from iotcenter.storage.sql import Row, change, find_all, select

COLUMNS = "device, sealed, version1, received, sent, cid, host, port"
ALL = f"SELECT {COLUMNS} FROM udp_key"
SET = """
    INSERT INTO udp_key (device, sealed, version1) VALUES (?, ?, ?)
    ON CONFLICT (device) DO UPDATE SET
        sealed = excluded.sealed, version1 = excluded.version1, received = NULL, sent = 0, cid = NULL
"""
UNBAR = "UPDATE device SET revoked = 0 WHERE id = ?"
FORGET = "DELETE FROM udp_key WHERE device = ?"
COUNTED = "UPDATE udp_key SET received = ?, sent = ? WHERE device = ?"
RESET = "UPDATE udp_key SET received = NULL WHERE device = ?"
ALLOW = "UPDATE udp_key SET version1 = ? WHERE device = ?"
MET = "UPDATE udp_key SET cid = ?, host = ?, port = ? WHERE device = ?"
MASTER = "SELECT sealed FROM udp_master"
SET_MASTER = (
    "INSERT INTO udp_master (one, sealed) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET sealed = excluded.sealed"
)
FORGET_MASTER = "DELETE FROM udp_master"


class UdpKeyRow(Struct, frozen=True):
    """What is kept of a device over UDP. The key is sealed."""

    device: DeviceId
    sealed: bytes
    version1: bool
    received: int | None = None
    sent: int = 0
    cid: bytes | None = None
    host: str | None = None
    port: int | None = None


class UdpKeys:
    """The table of keys for UDP. All that is about one device fails with ``NotFound`` where it has none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> Deferred[tuple[UdpKeyRow, ...]]:
        """Every key."""
        return self._database.read(lambda connection: find_all(connection, _row, ALL))

    def add(self, device: DeviceRow, sealed: bytes, version1: bool) -> Deferred[DeviceRow]:
        """Take in a new device with its key. Fails with ``NameTaken``."""
        return self._database.write(partial(_add, device=device, sealed=sealed, version1=version1))

    def set(self, device: DeviceId, sealed: bytes, version1: bool) -> Deferred[None]:
        """Give a device a key, in place of one that it may have; it may come in again if it was revoked.

        Fails with ``NotFound`` where there is no such device.
        """
        return self._database.write(partial(set_udp_key, device=device, sealed=sealed, version1=version1))

    def forget(self, device: DeviceId) -> Deferred[int]:
        """Remove a device's key, if it has one."""
        return self._database.write(lambda connection: change(connection, FORGET, device))

    def counted(self, device: DeviceId, received: int | None, sent: int) -> Deferred[None]:
        """Keep the counters of version 1: on disk when this fires."""
        return self._update(COUNTED, received, sent, device)

    def reset_counter(self, device: DeviceId) -> Deferred[None]:
        """Take the device's next counter, whatever it is."""
        return self._update(RESET, device)

    def allow_version1(self, device: DeviceId, allowed: bool) -> Deferred[None]:
        """Whether the device may use version 1."""
        return self._update(ALLOW, allowed, device)

    def met(self, device: DeviceId, cid: bytes, host: str, port: int) -> Deferred[None]:
        """Keep which session the device has, and where it is."""
        return self._update(MET, cid, host, port, device)

    def master(self) -> Deferred[bytes | None]:
        """The master key of an old installation, sealed."""
        return self._database.read(_master)

    def set_master(self, sealed: bytes | None) -> Deferred[None]:
        """Keep another master key, or none."""
        return self._database.write(partial(_set_master, sealed=sealed))

    def _update(self, statement: str, *values: object) -> Deferred[None]:
        return self._database.write(partial(_update, statement=statement, values=values))


def _row(row: Row) -> UdpKeyRow:
    device, sealed, version1, received, sent, cid, host, port = row
    return UdpKeyRow(device, sealed, bool(version1), received, sent, cid, host, port)


def _add(connection: sqlite3.Connection, device: DeviceRow, sealed: bytes, version1: bool) -> DeviceRow:
    row = add_device(connection, device)
    change(connection, SET, device.id, sealed, version1)
    return row


def set_udp_key(connection: sqlite3.Connection, device: DeviceId, sealed: bytes, version1: bool) -> None:
    """As ``UdpKeys.set``; for other tables' transactions."""
    check_device(connection, device)
    change(connection, SET, device, sealed, version1)
    change(connection, UNBAR, device)


def _update(connection: sqlite3.Connection, statement: str, values: tuple[object, ...]) -> None:
    if change(connection, statement, *values) == 0:
        raise NotFound("The device has no key for UDP.")


def _master(connection: sqlite3.Connection) -> bytes | None:
    rows = select(connection, MASTER)
    return rows[0][0] if rows else None


def _set_master(connection: sqlite3.Connection, sealed: bytes | None) -> None:
    if sealed is None:
        change(connection, FORGET_MASTER)
    else:
        change(connection, SET_MASTER, sealed)
