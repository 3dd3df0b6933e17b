"""What the tests of storage share: a database in a directory of its own, and devices that report."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from iotcenter.model import Reading
from iotcenter.storage import connections
from iotcenter.storage.database import Database
from iotcenter.storage.devices import Devices
from iotcenter.storage.intake import Outcome
from iotcenter.storage.readings import Readings
from iotcenter.wire.codec import DamagedReport
from iotcenter.wire.messages import Report

KITCHEN = "0" * 31 + "1"
GARDEN = "0" * 31 + "2"
NOW = 1_764_000_000.0


class DatabaseCase(TestCase):
    """A test with a real database, closed at the end."""

    def setUp(self) -> Any:
        directory = Path(self.mktemp())
        directory.mkdir()
        self.path = directory / "iotcenter.db"
        self.database = self.opened()
        return Deferred.fromCoroutine(self.prepare())

    async def prepare(self) -> None:
        """What the tests of a class find, beyond an empty database."""

    def opened(self) -> Database:
        """Another server on the same file; it is closed at the end."""
        from twisted.internet import reactor

        database = Database(self.path, reactor)
        database.open()
        self.addCleanup(database.close)
        return database

    async def reopen(self) -> None:
        """Stop, and start again on the same file."""
        await self.database.close()
        self.database = self.opened()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What another program finds in the file."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query).fetchall()


class FillingDisk:
    """A disk that has only so much room: the writer cannot let the file grow beyond ``pages``, until that is raised."""

    def __init__(self, test: TestCase, pages: int) -> None:
        self.pages = pages
        settings: Callable[[sqlite3.Connection], None] = connections.as_writer

        def as_writer(connection: sqlite3.Connection) -> None:
            settings(connection)
            connection.execute(f"PRAGMA max_page_count = {self.pages}")

        test.patch(connections, "as_writer", as_writer)


class ReadingsCase(DatabaseCase):
    """A test with two devices that report."""

    async def prepare(self) -> None:
        self.readings = Readings(self.database)
        self.devices = Devices(self.database)
        for device, name in ((KITCHEN, "kitchen"), (GARDEN, "garden")):
            await self.devices.add(device, name, "tls", NOW)

    def store(self, report: Report | DamagedReport, device: str = KITCHEN, received: float = NOW) -> Deferred[Outcome]:
        """Append a report; fires with what became of it."""
        stored: Deferred[Outcome] = Deferred()
        self.readings.append(device, report, received, stored.callback)
        return stored

    async def reopen(self) -> None:
        """Stop, and start again on the same file."""
        await super().reopen()
        self.readings = Readings(self.database)


def report(
    sequence: int, *values: Any, boot: int = 1, time: float = NOW, clock: float = 0.0, name: str = "t"
) -> Report:
    """A report of ``values`` of one series, a second apart."""
    readings = tuple(Reading(name, value, time + index) for index, value in enumerate(values))
    return Report(boot, sequence, readings, clock)
