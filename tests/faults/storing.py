"""A store at work, to be recorded: devices report to it, and what it acknowledges is written down in its directory.

``python -m tests.faults.storing DIRECTORY SEED [careless]``. One that is careless syncs nothing as it commits: what the
tests must find.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater, react

from iotcenter.model import Reading
from iotcenter.storage import connections
from iotcenter.storage.errors import StorageError
from iotcenter.wire.messages import Report
from tests.faults.desk import Desk, DeskLink
from tests.faults.journal import SERIES

ACKNOWLEDGED = "acknowledged"
"""The file with a line for each acknowledgement: device, first number, count."""

FAR = int(time.time()) // 86400 * 86400
"""When the first readings were taken; the number of a reading is its value, and how many seconds later it was."""

DEVICES = 5

RUNS = 4
"""How often the store is opened and closed."""

BURSTS = 12
"""How often each device reports while it is open."""

LOG_PAGES = 30
"""Pages in SQLite's log before they are copied into the database: few, so that this happens often."""


def report(first: int, count: int) -> Report:
    """Readings by their numbers."""
    readings = tuple(Reading(SERIES, float(number), float(FAR + number)) for number in range(first, first + count))
    return Report(1, first, readings, float(FAR))


class Device:
    """Reports, and sends again what was not taken."""

    def __init__(self, id: str, chance: Random, books: int) -> None:
        self._id = id
        self._chance = chance
        self._books = books
        self._next = 1

    async def work(self, reactor: Any, desk: Desk) -> None:
        """A few bursts of reports; now and then one comes twice."""
        link = desk.attach(self._id)
        for _ in range(BURSTS):
            reports = []
            for _ in range(self._chance.randint(1, 3)):
                count = self._chance.randint(1, 20)
                reports.append((self._next, count))
                self._next += count
            if self._chance.random() < 0.2:
                reports.append(reports[0])
            await gatherResults([Deferred.fromCoroutine(self._report(reactor, link, *one)) for one in reports])

    async def _report(self, reactor: Any, link: DeskLink, first: int, count: int) -> None:
        while not await link.hand_in(report(first, count)):
            await deferLater(reactor, 0.01)
        os.write(self._books, f"{self._id} {first} {count}\n".encode())


async def main(reactor: Any, directory: Path, chance: Random) -> None:
    """Open the store, let all devices report, close it, and so on."""
    connections.WAL_PAGES = LOG_PAGES
    books = os.open(directory / ACKNOWLEDGED, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    devices: list[Device] = []
    for _ in range(RUNS):
        desk = await opened(directory, reactor)
        if not devices:
            ids = [await desk.new_device(f"device-{number}") for number in range(1, DEVICES + 1)]
            devices = [Device(id, chance, books) for id in ids]
        await gatherResults([Deferred.fromCoroutine(device.work(reactor, desk)) for device in devices])
        await desk.close()


async def opened(directory: Path, reactor: Any) -> Desk:
    """A store, started as often as it takes on a disk that fails."""
    while True:
        try:
            desk = Desk(directory, reactor)
        except StorageError:
            continue
        await desk.begin()
        return desk


class Careless(sqlite3.Connection):
    """A connection whose commits do not wait for the disk."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Run ``sql``, but for what makes it careful."""
        return super().execute(sql.replace("synchronous = FULL", "synchronous = NORMAL"), *parameters)


def be_careless() -> None:
    """Take away what makes an acknowledgement true, however it is written down."""
    vars(sqlite3).update(connect=partial(sqlite3.connect, factory=Careless))
    vars(os).update(fsync=lambda _: None, fdatasync=lambda _: None)


if __name__ == "__main__":
    if "careless" in sys.argv:
        be_careless()
    place, seed = Path(sys.argv[1]), Random(sys.argv[2])
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, place, seed)))
