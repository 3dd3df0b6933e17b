"""The devices that are known: their names, what they prove themselves with, and what they offer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from iotcenter.model import CommandOffer, DeviceId, Series, SshOffer
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
from iotcenter.wire.errors import UNDECODABLE

COLUMNS = (
    "id, name, transport, created, revoked, key, certificate_expires, last_seen, address, agent, offer, attendance,"
    " expected"
)
ALL = f"SELECT {COLUMNS} FROM device ORDER BY name"
BY_ID = f"SELECT {COLUMNS} FROM device WHERE id = ?"
BY_NAME = f"SELECT {COLUMNS} FROM device WHERE name = ?"
IS_THERE = "SELECT 1 FROM device WHERE id = ?"
ADD = "INSERT INTO device (id, name, transport, created, key, certificate_expires) VALUES (?, ?, ?, ?, ?, ?)"
RENAME = "UPDATE device SET name = ? WHERE id = ?"
REVOKE = "UPDATE device SET revoked = 1 WHERE id = ?"
SET_KEY = "UPDATE device SET key = ?, certificate_expires = ?, revoked = 0 WHERE id = ?"
RENEWED = "UPDATE device SET certificate_expires = ? WHERE id = ? AND key = ? AND NOT revoked"
SEEN = "UPDATE device SET last_seen = ?, address = ?, attendance = coalesce(?, attendance) WHERE id = ?"
EXPECT = "UPDATE device SET expected = ? WHERE id = ?"
OFFERED = "UPDATE device SET agent = ?, offer = ? WHERE id = ?"
IS_LEFT = "SELECT 1 FROM series WHERE device IS NULL LIMIT 1"
REMOVE = "DELETE FROM device WHERE id = ?"


class Offer(msgspec.Struct, frozen=True):
    """What a device said that it can do."""

    series: tuple[Series, ...] = ()
    commands: tuple[CommandOffer, ...] = ()
    ssh: SshOffer = SshOffer()


class DeviceRow(msgspec.Struct, frozen=True):
    """A device as it is kept. ``key`` is the SHA-256 of its public key, None until it has enrolled; ``expected`` every
    how many seconds its owner expects to hear of it, 0 where they leave that to the device."""

    id: DeviceId
    name: str
    transport: str
    created: float
    revoked: bool = False
    key: bytes | None = None
    certificate_expires: float | None = None
    last_seen: float | None = None
    address: str = ""
    agent: str = ""
    series: tuple[Series, ...] = ()
    commands: tuple[CommandOffer, ...] = ()
    ssh: SshOffer = SshOffer()
    attendance: bytes | None = None
    expected: float = 0.0


class Devices:
    """The table of devices. All that is about one device fails with ``NotFound`` where there is none of that id."""

    def __init__(self, database: Database, removed: Callable[[], None] = lambda: None) -> None:
        """``removed`` is called when a device was removed, of which the readings are still to be deleted."""
        self._database = database
        self._removed = removed

    def all(self) -> Deferred[tuple[DeviceRow, ...]]:
        """Every device, by name."""
        return self._database.read(lambda connection: find_all(connection, _device, ALL))

    def get(self, device: DeviceId) -> Deferred[DeviceRow]:
        """The device with that id."""
        return self._database.read(partial(device_row, device=device))

    def named(self, name: str) -> Deferred[DeviceRow | None]:
        """The device with that name, if there is one."""
        return self._database.read(partial(device_named, name=name))

    def add(
        self,
        device: DeviceId,
        name: str,
        transport: str,
        created: float,
        key: bytes | None = None,
        certificate_expires: float | None = None,
    ) -> Deferred[DeviceRow]:
        """Take a new device in. Fails with ``NameTaken``."""
        row = DeviceRow(device, name, transport, created, key=key, certificate_expires=certificate_expires)
        return self._database.write(partial(add_device, row=row))

    def rename(self, device: DeviceId, name: str) -> Deferred[None]:
        """Give a device another name. Fails with ``NameTaken``."""
        return self._database.write(partial(_rename, device=device, name=name))

    def revoke(self, device: DeviceId) -> Deferred[None]:
        """Remember that a device may not come in any more, until it is given a new key."""
        return self._update(device, REVOKE)

    def renewed(self, device: DeviceId, key: bytes, certificate_expires: float) -> Deferred[None]:
        """Note a new certificate for ``key``. Fails with ``NotFound`` where that does not let the device in by now."""
        return self._database.write(partial(_renewed, device=device, key=key, expires=certificate_expires))

    def seen(self, device: DeviceId, time: float, address: str, attendance: bytes | None = None) -> Deferred[None]:
        """The device was there, and came from ``address``."""
        return self._update(device, SEEN, milliseconds(time), address, attendance)

    def expect(self, device: DeviceId, seconds: float) -> Deferred[None]:
        """Expect to hear of a device so often; 0: as often as it says."""
        return self._update(device, EXPECT, seconds or None)

    def offered(self, device: DeviceId, agent: str, offer: Offer) -> Deferred[None]:
        """Keep what the device says that it is and can do."""
        return self._update(device, OFFERED, agent, msgspec.msgpack.encode(offer))

    def remove(self, device: DeviceId) -> Deferred[None]:
        """Forget the device and all that hangs on it. Its readings are out of reach at once, and housekeeping deletes
        them."""
        removing = self._update(device, REMOVE)
        return removing.addCallback(lambda _: self._removed())

    def removing(self) -> Deferred[bool]:
        """Whether readings of a device that was removed are still being deleted."""
        return self._database.read(lambda connection: bool(select(connection, IS_LEFT)))

    def _update(self, device: DeviceId, statement: str, *values: Any) -> Deferred[None]:
        return self._database.write(partial(_update, statement=statement, values=(*values, device)))


def check_device(connection: sqlite3.Connection, device: DeviceId) -> None:
    """Raise ``NotFound`` where there is no such device; for other tables' transactions."""
    if not select(connection, IS_THERE, device):
        raise NotFound("There is no such device.")


def device_row(connection: sqlite3.Connection, device: DeviceId) -> DeviceRow:
    """The device with that id; for other tables' transactions. Raises ``NotFound``."""
    row = find(connection, _device, BY_ID, device)
    if row is None:
        raise NotFound("There is no such device.")
    return row


def device_named(connection: sqlite3.Connection, name: str) -> DeviceRow | None:
    """The device with that name, if there is one; for other tables' transactions."""
    return find(connection, _device, BY_NAME, name)


def add_device(connection: sqlite3.Connection, row: DeviceRow) -> DeviceRow:
    """Take a new device in; for other tables' transactions. Raises ``NameTaken``."""
    if device_named(connection, row.name) is not None:
        raise NameTaken(f"There is already a device named {row.name}.")
    expires = milliseconds_or_null(row.certificate_expires)
    change(connection, ADD, row.id, row.name, row.transport, milliseconds(row.created), row.key, expires)
    return row


def set_device_key(connection: sqlite3.Connection, device: DeviceId, key: bytes, certificate_expires: float) -> None:
    """Know the device by ``key`` from now on, and by no other; it may come in again if it was revoked.

    For other tables' transactions. Raises ``NotFound``.
    """
    _update(connection, SET_KEY, (key, milliseconds(certificate_expires), device))


def _rename(connection: sqlite3.Connection, device: DeviceId, name: str) -> None:
    holder = device_named(connection, name)
    if holder is not None and holder.id != device:
        raise NameTaken(f"There is already a device named {name}.")
    _update(connection, RENAME, (name, device))


def _renewed(connection: sqlite3.Connection, device: DeviceId, key: bytes, expires: float) -> None:
    if change(connection, RENEWED, milliseconds(expires), device, key) == 0:
        raise NotFound("The device may not come in with this key any more.")


def _update(connection: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> None:
    if change(connection, statement, *values) == 0:
        raise NotFound("There is no such device.")


def _device(row: Row) -> DeviceRow:
    device, name, transport, created, revoked, key, expires, last_seen, address, agent, packed, *rest = row
    attendance, expected = rest
    offer = _offer(packed)
    return DeviceRow(
        id=device,
        name=name,
        transport=transport,
        created=seconds(created),
        revoked=bool(revoked),
        key=key,
        certificate_expires=seconds_or_none(expires),
        last_seen=seconds_or_none(last_seen),
        address=address,
        agent=agent,
        series=offer.series,
        commands=offer.commands,
        ssh=offer.ssh,
        attendance=attendance,
        expected=expected or 0.0,
    )


def _offer(packed: bytes | None) -> Offer:
    """What was offered. One that only another version understood is no loss: the next Hello brings it anew."""
    if packed is None:
        return Offer()
    try:
        return msgspec.msgpack.decode(packed, type=Offer)
    except UNDECODABLE:
        return Offer()
