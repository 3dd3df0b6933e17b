"""Readings: their way to the disk, and the questions about what is there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from iotcenter.model import Account, DeviceId, Value
from iotcenter.storage import history
from iotcenter.storage.answers import BucketPage, Columns, Key, Page, Question
from iotcenter.storage.blocks import pack_frames, pack_record, pack_report
from iotcenter.storage.database import Database
from iotcenter.storage.devices import check_device
from iotcenter.storage.errors import StorageError
from iotcenter.storage.inbox import Inbox
from iotcenter.storage.merge import Merged
from iotcenter.storage.merging import Merger
from iotcenter.storage.queue import Done
from iotcenter.storage.retention import Earliest, Keep, due, earliest, keep_of, set_keep
from iotcenter.storage.sql import change, select
from iotcenter.storage.unmerged import newest, waiting

__all__ = ["Columns", "Done", "Merged", "Page", "Question", "Readings"]

ACCOUNTS = "SELECT device, received, duplicates, late, lost, refused FROM account"
LOST = "SELECT device, lost, told FROM account"
SET_LOST = """
    INSERT INTO account (device, lost, told) VALUES (?, ?, ?)
    ON CONFLICT (device) DO UPDATE SET lost = excluded.lost, told = excluded.told
"""

CHART_WITHIN = 0.5
"""Seconds that a chart waits for what is acknowledged to be merged, which goes before all else meanwhile. What a burst
left behind is then looked up where it waits, which is dearer."""

CSV_WITHIN = 2.0
"""The same for the pages of a CSV. They are short of what a burst left behind."""

T = TypeVar("T")
Latest = dict[DeviceId, dict[str, tuple[Value, float]]]
"""The newest value of each series of each device, with its time."""


class Readings:
    """The way of reports to the disk, into the inbox and from there into the tables; and what is known of them.

    ``committed`` is called after each commit, when all who waited for it have been told. ``merged`` is told what became
    of each device's readings, which is known later than that they are safe. ``refuse_older`` is told when less of the
    past is kept, before it is gone: from then on, nobody is to append what is older.
    """

    def __init__(self, database: Database, inbox: Inbox, merger: Merger) -> None:
        self._database = database
        self._inbox = inbox
        self._merger = merger
        self.committed: Callable[[], None] = lambda: None
        self.merged: Callable[[Mapping[DeviceId, Merged]], None] = lambda _: None
        self.refuse_older: Callable[[Earliest], None] = lambda _: None
        inbox.committed = self._committed
        merger.merged = lambda merged: self.merged(merged)

    def append(self, device: DeviceId, received: float, bodies: Sequence[bytes], done: Done) -> None:
        """Bring reports to disk that came together at ``received``, as MessagePack; ``done`` is called once, with what
        went wrong if anything did, and at once where nothing more can wait.

        Whether a reading came before is found when it is merged into the tables.
        """
        self.append_together([(device, bodies)], received, done)

    def append_together(self, reports: Iterable[tuple[DeviceId, Sequence[bytes]]], received: float, done: Done) -> None:
        """``append`` for those of several devices."""
        self._inbox.append([pack_record(device, received, pack_frames(bodies)) for device, bodies in reports], done)

    def append_singles(self, reports: Iterable[tuple[DeviceId, bytes]], received: float, done: Done) -> None:
        """``append`` for one report of each of several devices."""
        self._inbox.append([pack_report(device, received, body) for device, body in reports], done)

    @property
    def crowded(self) -> bool:
        """Whether there may be devices that ``must_wait``."""
        return self._inbox.crowded

    def must_wait(self, device: DeviceId) -> bool:
        """Whether the device has so much in the inbox that what is left of it is for others."""
        return self._inbox.must_wait(device)

    def start(self) -> None:
        """Begin to merge: whoever keeps accounts has read them by now."""
        self._merger.start()

    def settled(self) -> Deferred[None]:
        """Fires when all is in the tables that is acknowledged by now."""
        return self._merger.settled()

    def written(self) -> Deferred[None]:
        """Fires when nothing waits for the disk any more of what was appended by now."""
        return self._inbox.written()

    def forget(self) -> None:
        """Take what is known of series from the database again; on the writer's thread."""
        self._merger.forget()

    def set_keep(self, device: DeviceId, series: str, keep: Keep) -> Deferred[None]:
        """Keep a series for so many days; what is None is for as many as the configuration says. Fails with
        ``NotFound``."""
        return self._database.write(partial(set_keep, device=device, name=series, keep=keep))

    def keep(self, device: DeviceId) -> Deferred[dict[str, Keep]]:
        """For how long each series of a device is kept, as ``set_keep`` takes it."""
        return self._database.read(partial(keep_of, device=device))

    def earliest(self) -> Deferred[Earliest]:
        """From when on readings of each series of each device are taken in."""
        return self._database.read(lambda connection: earliest(due(connection, 0, Keep(0, 0, 0, 0))))

    def set_lost(self, device: DeviceId, lost: int, told: int) -> Deferred[None]:
        """The device ever had to throw away ``lost`` readings, and said last that it were ``told``. Fails with
        ``NotFound``."""
        return self._database.write(partial(_set_lost, device=device, lost=lost, told=told))

    def lost(self) -> Deferred[dict[DeviceId, tuple[int, int]]]:
        """What was set last with ``set_lost``, of each device."""
        return self._database.read(_lost)

    def accounts(self) -> Deferred[dict[DeviceId, Account]]:
        """What became of the readings of each device that ever sent any."""
        return self._database.read(_accounts)

    def latest(self) -> Deferred[Latest]:
        """The newest value of each series of each device, merged or not, with its time."""
        return self._database.read(partial(_latest, inbox=self._inbox))

    def query(self, question: Question) -> Deferred[Columns]:
        """What was measured, raw or in buckets. Fails with ``TooMuch`` where the answer would be too long."""

        def look(connection: sqlite3.Connection) -> Columns:
            view = self._inbox.view()  # before the database is looked at
            return history.query(connection, question, waiting(connection, view, question.device, question.series))

        return self._merged_first(look, CHART_WITHIN)

    def bucket_page(self, question: Question, after: float | None = None) -> Deferred[BucketPage]:
        """A piece of an answer of any length in buckets; pass its ``after`` to get the next one."""
        return self._merged_first(lambda connection: history.bucket_page(connection, question, after), CSV_WITHIN)

    def page(self, device: DeviceId, series: str, start: float, end: float, after: Key | None = None) -> Deferred[Page]:
        """A piece of an answer of any length; pass its ``after`` to get the next one."""
        return self._merged_first(
            lambda connection: history.page(connection, device, series, start, end, after), CSV_WITHIN
        )

    def _merged_first(self, function: Callable[[sqlite3.Connection], T], within: float) -> Deferred[T]:
        """What ``function`` finds once all is in the tables that is acknowledged by now; as things are where that takes
        longer than ``within`` seconds, or cannot be."""

        def look(result: Failure | None) -> Deferred[T]:
            if result is not None:
                result.trap(StorageError)
            return self._database.scan(function)

        return self._merger.settled(within).addBoth(look)

    def _committed(self) -> None:
        self.committed()
        self._merger.wake()


def _latest(connection: sqlite3.Connection, inbox: Inbox) -> Latest:
    view = inbox.view()  # before the database is looked at
    found = history.latest(connection)
    for device, reading in newest(connection, view):
        values = found.setdefault(device, {})
        known = values.get(reading.name)
        if known is None or known[1] <= reading.time:
            values[reading.name] = (reading.value, reading.time)
    return found


def _set_lost(connection: sqlite3.Connection, device: DeviceId, lost: int, told: int) -> None:
    check_device(connection, device)
    change(connection, SET_LOST, device, lost, told)


def _lost(connection: sqlite3.Connection) -> dict[DeviceId, tuple[int, int]]:
    return {device: (lost, told) for device, lost, told in select(connection, LOST)}


def _accounts(connection: sqlite3.Connection) -> dict[DeviceId, Account]:
    return {device: Account(*numbers) for device, *numbers in select(connection, ACCOUNTS)}
