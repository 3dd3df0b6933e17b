"""What the tests of storage share: a database in a directory of its own, and devices that report."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from iotcenter.model import Reading
from iotcenter.storage import connections
from iotcenter.storage.aside import SetAside
from iotcenter.storage.batch import Outcome
from iotcenter.storage.database import Database
from iotcenter.storage.devices import Devices
from iotcenter.storage.entries import Entry, position
from iotcenter.storage.errors import StorageError
from iotcenter.storage.inbox import Inbox
from iotcenter.storage.intake import Intake
from iotcenter.storage.merging import Merger
from iotcenter.storage.readings import Readings
from iotcenter.wire.codec import DamagedReport, encode_report
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
        self.devices = Devices(self.database)
        for device, name in ((KITCHEN, "kitchen"), (GARDEN, "garden")):
            await self.devices.add(device, name, "tls", NOW)
        self.open_readings()

    def open_readings(self) -> None:
        """Readings with an inbox; it merges nothing before ``self.merger`` is started."""
        from twisted.internet import reactor

        self.intake = Intake()
        self.inbox = Inbox(self.path.parent / "inbox", reactor)
        self.merger = Merger(self.database, self.inbox, self.intake, SetAside(self.path.parent / "set-aside"), reactor)
        self.readings = Readings(self.database, self.inbox, self.merger)
        self.inbox.open(self.database.look(position))
        self.addCleanup(self.merger.stop)
        self.addCleanup(self.inbox.close)

    def store(self, report: Report | DamagedReport, device: str = KITCHEN, received: float = NOW) -> Deferred[Outcome]:
        """Put a report into the tables; fires with what became of it."""
        entry = Entry(device, report, received)
        storing = self.database.write(lambda connection: self.intake.store(connection, [entry])[0])
        return storing.addErrback(self._not_stored)

    def _not_stored(self, failure: Failure) -> Outcome:
        self.intake.forget()
        return Outcome(error=cast(StorageError, failure.value))

    def acknowledge(
        self, *reports: Report, device: str = KITCHEN, received: float = NOW
    ) -> Deferred[StorageError | None]:
        """Put reports that came together into the inbox; fires when they are on disk, or with why they are not."""
        acknowledged: Deferred[StorageError | None] = Deferred()
        self.readings.append(device, received, [encode_report(one) for one in reports], acknowledged.callback)
        return acknowledged

    async def reopen(self) -> None:
        """Stop, and start again on the same files."""
        await self.inbox.close()
        await self.merger.stop()
        await super().reopen()
        self.open_readings()


def report(
    sequence: int, *values: Any, boot: int = 1, time: float = NOW, clock: float = 0.0, name: str = "t"
) -> Report:
    """A report of ``values`` of one series, a second apart."""
    readings = tuple(Reading(name, value, time + index) for index, value in enumerate(values))
    return Report(boot, sequence, readings, clock)
