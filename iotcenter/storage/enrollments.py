"""Enrollment tokens: which device each one lets in, until when, and whether it was used."""

from __future__ import annotations

import sqlite3
from functools import partial

from msgspec import Struct
from twisted.internet.defer import Deferred

from iotcenter.model import DeviceId
from iotcenter.storage.database import Database
from iotcenter.storage.devices import DeviceRow, add_device, device_named, device_row, set_device_key
from iotcenter.storage.errors import NotFound, NotRedeemable
from iotcenter.storage.sql import Row, change, find, find_all, milliseconds, seconds, seconds_or_none, select
from iotcenter.storage.udp_keys import set_udp_key

COLUMNS = "id, name, device, actor, created, expires, used"
ADD = "INSERT INTO enrollment (hash, name, device, actor, created, expires) VALUES (?, ?, ?, ?, ?, ?) RETURNING id"
BY_HASH = f"SELECT {COLUMNS} FROM enrollment WHERE hash = ?"
OPEN = f"SELECT {COLUMNS} FROM enrollment WHERE used IS NULL AND expires > ? ORDER BY created, id"
USE = "UPDATE enrollment SET used = ?, device = ? WHERE id = ?"
WITHDRAW = "DELETE FROM enrollment WHERE id = ? AND used IS NULL"
FORGET = "DELETE FROM enrollment WHERE coalesce(used, expires) <= ?"

REMEMBERED = 30 * 86400
"""Seconds for which a token is remembered after its end: who pastes it late is told that it was used or has expired."""


class EnrollmentRow(Struct, frozen=True):
    """A token that was given out. ``device`` is None where ``name`` is for a new device."""

    id: int
    name: str
    device: DeviceId | None
    actor: str
    created: float
    expires: float
    used: float | None = None

    def is_open(self, now: float) -> bool:
        """Whether it can still be used."""
        return self.used is None and now < self.expires


class Enrollments:
    """The table of enrollment tokens, known by the SHA-256 of their secrets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, digest: bytes, name: str, actor: str, created: float, expires: float) -> Deferred[EnrollmentRow]:
        """Remember a token for the device ``name``: the one that has this name now, else a new one."""
        return self._database.write(
            partial(_add, digest=digest, name=name, actor=actor, created=created, expires=expires)
        )

    def find(self, digest: bytes) -> Deferred[EnrollmentRow | None]:
        """The token with that secret, if there is one, used and expired ones too."""
        return self._database.read(partial(_find, digest=digest))

    def open(self, now: float) -> Deferred[tuple[EnrollmentRow, ...]]:
        """The tokens that can still be used, oldest first."""
        return self._database.read(lambda connection: find_all(connection, _enrollment, OPEN, milliseconds(now)))

    def withdraw(self, enrollment: int) -> Deferred[None]:
        """Forget a token that was not used. Fails with ``NotFound``."""
        return self._database.write(partial(_withdraw, enrollment=enrollment))

    def redeem(
        self,
        digest: bytes,
        now: float,
        device: DeviceId,
        transport: str,
        key: bytes,
        certificate_expires: float,
        udp_key: bytes | None = None,
    ) -> Deferred[DeviceRow]:
        """Spend a token on ``key``, and on the sealed ``udp_key``: all of this or nothing of it happens.

        ``device`` is the id in the certificate: the one that the token is for, or a new one where it is for a new name.
        Fails with ``NotRedeemable`` where the token is unknown, used, expired, or for another id, and with
        ``NameTaken`` where a device of the new name has come in by another way meanwhile.
        """
        return self._database.write(
            partial(
                _redeem,
                digest=digest,
                now=now,
                device=device,
                transport=transport,
                key=key,
                certificate_expires=certificate_expires,
                udp_key=udp_key,
            )
        )


def _enrollment(row: Row) -> EnrollmentRow:
    number, name, device, actor, created, expires, used = row
    return EnrollmentRow(number, name, device, actor, seconds(created), seconds(expires), seconds_or_none(used))


def _add(
    connection: sqlite3.Connection, digest: bytes, name: str, actor: str, created: float, expires: float
) -> EnrollmentRow:
    change(connection, FORGET, milliseconds(created - REMEMBERED))
    known = device_named(connection, name)
    device = None if known is None else known.id
    [(number,)] = select(connection, ADD, digest, name, device, actor, milliseconds(created), milliseconds(expires))
    return EnrollmentRow(number, name, device, actor, created, expires)


def _find(connection: sqlite3.Connection, digest: bytes) -> EnrollmentRow | None:
    return find(connection, _enrollment, BY_HASH, digest)


def _withdraw(connection: sqlite3.Connection, enrollment: int) -> None:
    if change(connection, WITHDRAW, enrollment) == 0:
        raise NotFound("There is no such enrollment that is still open.")


def _redeem(
    connection: sqlite3.Connection,
    digest: bytes,
    now: float,
    device: DeviceId,
    transport: str,
    key: bytes,
    certificate_expires: float,
    udp_key: bytes | None,
) -> DeviceRow:
    enrollment = _find(connection, digest)
    if enrollment is None or not enrollment.is_open(now) or enrollment.device not in (None, device):
        raise NotRedeemable
    if enrollment.device is None:
        add_device(connection, DeviceRow(device, enrollment.name, transport, now))
    set_device_key(connection, device, key, certificate_expires)
    if udp_key is not None:
        set_udp_key(connection, device, udp_key, False)
    change(connection, USE, milliseconds(now), device, enrollment.id)
    return device_row(connection, device)
