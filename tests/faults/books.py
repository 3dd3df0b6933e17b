"""What stands on the disks of a server and of its devices, whoever was killed: read from copies, so that nothing is
mended by being looked at."""

from __future__ import annotations

import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from iotcenter.model import FAR_FUTURE
from iotcenter.storage.blocks import Record
from iotcenter.storage.entries import entries, position
from iotcenter.storage.intake import Intake
from iotcenter.storage.journal import Journal
from iotcenter.storage.store import FILE, INBOX, Store
from iotdevice import spool
from tests.faults.journal import SERIES, Key

READINGS = """
SELECT series.device, progress.boot, sequence, value
FROM reading JOIN series ON series.id = reading.series
JOIN progress ON progress.device = series.device AND progress.number = reading.boot
WHERE series.name = ?
"""
ACCOUNTS = "SELECT device, received, duplicates FROM account"
SPOOLED = "SELECT boot, sequence, value FROM reading WHERE name = ?"


@dataclass(frozen=True)
class Stored:
    """What a server has of one device: its readings, and the account that it keeps of them."""

    readings: Sequence[tuple[Key, int]]
    received: int = 0
    duplicates: int = 0

    @property
    def keys(self) -> set[Key]:
        """The readings without their values."""
        return {key for key, _ in self.readings}

    @property
    def numbers(self) -> set[int]:
        """The values, each once."""
        return {number for _, number in self.readings}

    def faults(self, made: set[int], needed: set[int]) -> list[str]:
        """What is wrong with it where ``made`` is all that was ever reported, and ``needed`` what must be there."""
        count, lost, strange = len(self.readings), needed - self.numbers, self.numbers - made
        tests = {
            f"of {len(needed)} readings {len(lost)} are lost: {_some(lost)}": bool(lost),
            f"{count - len(self.numbers)} readings are there twice": count != len(self.numbers),
            f"{len(strange)} readings were never made: {_some(strange)}": bool(strange),
            f"the account has {self.received} readings, the table {count}": self.received != count,
        }
        return [fault for fault, there in tests.items() if there]


def stored(directory: Path) -> dict[str, Stored]:
    """What stands in the database in ``directory`` and waits in the inbox beside it, by the id of the device."""
    readings: dict[str, list[tuple[Key, int]]] = defaultdict(list)
    with TemporaryDirectory(prefix="iotcenter-books-") as folder:
        if (directory / INBOX).exists():  # first of all: what is merged meanwhile is found in the database
            shutil.copytree(directory / INBOX, Path(folder, INBOX), copy_function=_copy_if_there)
        with _copied(directory / FILE, folder) as connection:
            _merge(connection, Path(folder, INBOX))
            rows = connection.execute(READINGS, (SERIES,)).fetchall()
            accounts = connection.execute(ACCOUNTS).fetchall()
    for device, boot, sequence, value in rows:
        readings[device].append(((boot, sequence), int(value)))
    counted = {device: (received, duplicates) for device, received, duplicates in accounts}
    return {device: Stored(readings[device], *counted.get(device, ())) for device in {*readings, *counted}}


async def given(reactor: Any, directory: Path, devices: Sequence[str]) -> dict[str, list[int]]:
    """The numbers that a server's storage gives of each of ``devices``, by its id, once no server runs there."""
    store = Store(directory, reactor)
    store.open()
    store.readings.start()
    try:
        return {device: await numbers(store, device) for device in devices}
    finally:
        await store.close()


async def numbers(store: Store, device: str) -> list[int]:
    """The numbers that ``store`` gives of one device."""
    found: list[int] = []
    after = None
    while True:
        page = await store.readings.page(device, SERIES, 0.0, FAR_FUTURE, after)
        found += [int(value) for _, value in page.readings]
        after = page.after
        if after is None:
            return found


def _merge(connection: sqlite3.Connection, inbox: Path) -> None:
    """Put into the tables what waits, as a server does that is started again."""
    merged = position(connection)
    journal = Journal(inbox)
    journal.open(merged)
    waiting = [record for record in journal.view().after(merged) if isinstance(record, Record)]
    Intake().store(connection, [entry for record in waiting for entry in entries(record)])


def _copy_if_there(source: str, target: str) -> None:
    with suppress(FileNotFoundError):  # it was merged and deleted just now
        shutil.copy(source, target)


def spooled(directory: Path) -> dict[Key, int]:
    """The readings that wait on the disk of a device, with their values."""
    with (
        TemporaryDirectory(prefix="iotcenter-books-") as folder,
        _copied(directory / spool.FILE, folder) as connection,
    ):
        rows = connection.execute(SPOOLED, (SERIES,)).fetchall()
    return {(boot, sequence): int(value) for boot, sequence, value in rows}


@contextmanager
def _copied(database: Path, folder: str) -> Iterator[sqlite3.Connection]:
    """A copy of ``database`` with all that is in its log."""
    for suffix in ("", "-wal"):
        file = Path(f"{database}{suffix}")
        if file.exists():
            shutil.copy(file, folder)
    with closing(sqlite3.connect(Path(folder, database.name))) as connection:
        yield connection


def _some(numbers: set[int]) -> str:
    first = sorted(numbers)[:5]
    return ", ".join(map(str, first)) + (", ..." if len(numbers) > len(first) else "")
