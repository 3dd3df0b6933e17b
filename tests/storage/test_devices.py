from __future__ import annotations

import sqlite3
from functools import partial
from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from iotcenter.model import CommandOffer, CommandState, LogLevel, LogLine, Series
from iotcenter.storage.commands import Commands
from iotcenter.storage.devices import DeviceRow, Offer
from iotcenter.storage.enrollments import Enrollments
from iotcenter.storage.errors import NameTaken, NotFound
from iotcenter.storage.housekeeping import remove_some
from iotcenter.storage.logs import Logs
from tests.storage.support import GARDEN, KITCHEN, NOW, ReadingsCase, report

NOBODY = "f" * 32
CELLAR = "e" * 32
TABLES = ("device", "series", "reading", "progress", "account", "command", "log", "enrollment")


class DevicesTests(ReadingsCase):
    """The devices that are known."""

    async def test_all(self) -> None:
        """They come by name, as they were added."""
        cellar = await self.devices.add(NOBODY, "cellar", "udp", NOW + 1, b"key", NOW + 90)
        garden, kitchen = DeviceRow(GARDEN, "garden", "tls", NOW), DeviceRow(KITCHEN, "kitchen", "tls", NOW)
        self.assertEqual(cellar, DeviceRow(NOBODY, "cellar", "udp", NOW + 1, key=b"key", certificate_expires=NOW + 90))
        self.assertEqual(await self.devices.all(), (cellar, garden, kitchen))

    async def test_get(self) -> None:
        """One is found by its id."""
        await self.devices.seen(GARDEN, NOW, "")
        self.assertEqual((await self.devices.get(KITCHEN)).name, "kitchen")
        await self.assertFailure(self.devices.get(NOBODY), NotFound)

    async def test_name_taken(self) -> None:
        """Two devices cannot have one name."""
        error = await self.assertFailure(self.devices.add(NOBODY, "garden", "tls", NOW), NameTaken)
        self.assertEqual(str(error), "There is already a device named garden.")
        await self.assertFailure(self.devices.rename(KITCHEN, "garden"), NameTaken)

    async def test_rename(self) -> None:
        """A device may get another name, or the one that it has."""
        await self.devices.rename(KITCHEN, "cellar")
        await self.devices.rename(KITCHEN, "cellar")
        self.assertEqual((await self.devices.get(KITCHEN)).name, "cellar")

    async def test_revoke(self) -> None:
        """That a device may not come in any more is remembered, of that one alone."""
        await self.devices.revoke(KITCHEN)
        self.assertTrue((await self.devices.get(KITCHEN)).revoked)
        self.assertFalse((await self.devices.get(GARDEN)).revoked)

    async def test_renewed(self) -> None:
        """A new certificate is noted for the key on record alone, and for no device that was revoked."""
        await self.devices.add(CELLAR, "cellar", "tls", NOW, b"key", NOW)
        await self.devices.renewed(CELLAR, b"key", NOW + 90.5)
        self.assertEqual((await self.devices.get(CELLAR)).certificate_expires, NOW + 90.5)
        await self.assertFailure(self.devices.renewed(CELLAR, b"former key", NOW + 99), NotFound)
        await self.devices.revoke(CELLAR)
        await self.assertFailure(self.devices.renewed(CELLAR, b"key", NOW + 99), NotFound)

    async def test_seen(self) -> None:
        """When and where a device was last is remembered."""
        await self.devices.seen(KITCHEN, NOW + 1.25, "192.0.2.1")
        row = await self.devices.get(KITCHEN)
        self.assertEqual((row.last_seen, row.address), (NOW + 1.25, "192.0.2.1"))

    async def test_offered(self) -> None:
        """So is what it offers."""
        series, commands = (Series("t", unit="Cel", every=10),), (CommandOffer("identify", confirm=True),)
        await self.devices.offered(KITCHEN, "iotdevice/1.0", Offer(series, commands))
        row = await self.devices.get(KITCHEN)
        self.assertEqual((row.agent, row.series, row.commands), ("iotdevice/1.0", series, commands))

    async def test_offer_of_another_version(self) -> None:
        """An offer that cannot be read any more costs nothing but itself."""
        damaged = msgspec.msgpack.encode(Offer((Series("t", unit="?"),))).replace(b"?", b"\xff")
        for offer in (b"\xc1", damaged):
            await self.database.write(partial(_spoil, offer=offer))
            self.assertEqual((await self.devices.get(KITCHEN)).series, ())

    async def test_unknown(self) -> None:
        """Nothing can be said of a device that there is not."""
        changes: list[Deferred[Any]] = [
            self.devices.rename(NOBODY, "cellar"),
            self.devices.revoke(NOBODY),
            self.devices.seen(NOBODY, NOW, ""),
            self.devices.offered(NOBODY, "", Offer()),
        ]
        for change in changes:
            await self.assertFailure(change, NotFound)
        with self.assertRaises(NotFound):
            await self.devices.remove(NOBODY)


class RemovingTests(ReadingsCase):
    """A device that is removed."""

    async def test_all_that_hangs_on_it(self) -> None:
        """Nothing is left of it in any table, and all of the others."""
        commands, logs, enrollments = Commands(self.database), Logs(self.database), Enrollments(self.database)
        for number, (device, name) in enumerate([(KITCHEN, "kitchen"), (GARDEN, "garden")]):
            await self.store(report(1, 1.0, 2.0, 3.0, 4.0, 5.0), device)
            await commands.add(device, "identify", "{}", "ada", NOW, NOW, CommandState.DONE)
            await logs.append(device, [LogLine(NOW, LogLevel.INFO, "hello")], NOW)
            await enrollments.add(bytes([number]), name, "ada", NOW, NOW + 60)
        counts = [self.rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES]
        await self.devices.remove(KITCHEN)
        await self.database.write(_all_removed)
        halves = [self.rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES]
        self.assertEqual([count / 2 for count in counts], halves)
        self.assertEqual([row.name for row in await self.devices.all()], ["garden"])

    async def test_same_name_again(self) -> None:
        """A new device of the same name begins afresh."""
        await self.store(report(1, 1.0))
        await self.devices.remove(KITCHEN)
        await self.devices.add(NOBODY, "kitchen", "tls", NOW)
        self.assertEqual(len((await self.store(report(1, 1.0), NOBODY)).new), 1)


def _all_removed(connection: sqlite3.Connection) -> None:
    while remove_some(connection):
        pass


def _spoil(connection: sqlite3.Connection, offer: bytes) -> None:
    connection.execute("UPDATE device SET offer = ?", [offer])
