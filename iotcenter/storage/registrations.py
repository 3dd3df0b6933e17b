"""Devices that prove themselves by a name and a password, and where each of them listens for its peers."""

from __future__ import annotations

import sqlite3
from functools import partial

from msgspec import Struct
from twisted.internet.defer import Deferred

from iotcenter.model import DeviceId
from iotcenter.storage.database import Database
from iotcenter.storage.errors import NotFound, StorageError
from iotcenter.storage.sql import Row, change, find, select

COLUMNS = "device_id, device, password_hash, mac, ip, port"
BY_DEVICE_ID = f"SELECT {COLUMNS} FROM registration WHERE device_id = ?"
MAC_HOLDER = "SELECT 1 FROM registration WHERE mac = ? AND device_id <> ?"
ADDRESS_HOLDER = "SELECT 1 FROM registration WHERE ip = ? AND port = ? AND device_id <> ?"
COUNT = "SELECT count(*) FROM registration"
EXPECT = "INSERT INTO registration (device_id, device) VALUES (?, ?)"
KEEP = f"""
    INSERT INTO registration ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (device_id) DO UPDATE SET
    password_hash = excluded.password_hash, mac = excluded.mac, ip = excluded.ip, port = excluded.port
"""
MOVE = "UPDATE registration SET ip = ?, port = ? WHERE device_id = ? AND password_hash IS NOT NULL"
FORGET = "UPDATE registration SET password_hash = NULL, mac = NULL, ip = NULL, port = NULL WHERE device_id = ?"


class MacTaken(StorageError):
    """That MAC address belongs to another device."""


class AddressTaken(StorageError):
    """That IP address and port belong to another device."""


class Registration(Struct, frozen=True):
    """A device-id, the device that it stands for, and what was registered for it: nothing yet without a hash.

    ``mac`` is twelve hexadecimal digits in lower case.
    """

    device_id: str
    device: DeviceId
    password_hash: str | None = None
    mac: str | None = None
    ip: str | None = None
    port: int | None = None


class Registrations:
    """The table of registrations, known by their device-ids, which are compared letter by letter."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, device_id: str) -> Deferred[Registration | None]:
        """What is kept under ``device_id``."""
        return self._database.read(partial(_find, device_id=device_id))

    def count(self) -> Deferred[int]:
        """How many there are."""
        return self._database.read(lambda connection: int(select(connection, COUNT)[0][0]))

    def expect(self, device_id: str, device: DeviceId) -> Deferred[None]:
        """Let ``device`` register under ``device_id``."""
        return self._database.write(partial(_expect, device_id=device_id, device=device))

    def check_free(self, device_id: str, mac: str, ip: str, port: int) -> Deferred[None]:
        """Fail with ``MacTaken`` or ``AddressTaken`` where another device than ``device_id`` has these."""
        return self._database.read(partial(_check_free, device_id=device_id, mac=mac, ip=ip, port=port))

    def keep(self, registration: Registration) -> Deferred[None]:
        """Register. Fails with ``MacTaken`` or ``AddressTaken``."""
        return self._database.write(partial(_keep, registration=registration))

    def move(self, device_id: str, ip: str, port: int) -> Deferred[None]:
        """The device listens elsewhere. Fails with ``AddressTaken``, or with ``NotFound`` where none is registered."""
        return self._database.write(partial(_move, device_id=device_id, ip=ip, port=port))

    def forget(self, device_id: str) -> Deferred[None]:
        """Forget what was registered; the device itself and its readings stay."""
        return self._database.write(partial(_forget, device_id=device_id))


def _find(connection: sqlite3.Connection, device_id: str) -> Registration | None:
    return find(connection, _registration, BY_DEVICE_ID, device_id)


def _registration(row: Row) -> Registration:
    return Registration(*row)


def _expect(connection: sqlite3.Connection, device_id: str, device: DeviceId) -> None:
    change(connection, EXPECT, device_id, device)


def _keep(connection: sqlite3.Connection, registration: Registration) -> None:
    assert registration.mac is not None and registration.ip is not None and registration.port is not None
    _check_free(connection, registration.device_id, registration.mac, registration.ip, registration.port)
    change(
        connection,
        KEEP,
        registration.device_id,
        registration.device,
        registration.password_hash,
        registration.mac,
        registration.ip,
        registration.port,
    )


def _move(connection: sqlite3.Connection, device_id: str, ip: str, port: int) -> None:
    if select(connection, ADDRESS_HOLDER, ip, port, device_id):
        raise AddressTaken
    if change(connection, MOVE, ip, port, device_id) == 0:
        raise NotFound("There is no such registration.")


def _forget(connection: sqlite3.Connection, device_id: str) -> None:
    change(connection, FORGET, device_id)


def _check_free(connection: sqlite3.Connection, device_id: str, mac: str, ip: str, port: int) -> None:
    if select(connection, MAC_HOLDER, mac, device_id):
        raise MacTaken
    if select(connection, ADDRESS_HOLDER, ip, port, device_id):
        raise AddressTaken
