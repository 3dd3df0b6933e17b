"""Readings: the hot path to the disk, and the questions about what is there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from iotcenter.model import Account, DeviceId, Value
from iotcenter.storage import history
from iotcenter.storage.commit import Job
from iotcenter.storage.database import Database
from iotcenter.storage.devices import check_device
from iotcenter.storage.errors import Busy, StorageError
from iotcenter.storage.history import Columns, Key, Page, Question
from iotcenter.storage.intake import Intake, Outcome, Waiting
from iotcenter.storage.retention import Keep, keep_of, set_keep
from iotcenter.storage.sql import change, select
from iotcenter.wire.codec import DamagedReport
from iotcenter.wire.messages import Report

__all__ = ["Columns", "Outcome", "Page", "Question", "Readings"]

ACCOUNTS = "SELECT device, received, duplicates, late, lost, refused FROM account"
LOST = "SELECT device, lost, told FROM account"
SET_LOST = """
    INSERT INTO account (device, lost, told) VALUES (?, ?, ?)
    ON CONFLICT (device) DO UPDATE SET lost = excluded.lost, told = excluded.told
"""

MOST_WAITING = 50_000
"""Readings that may wait for the next commit: what some 10 MB hold, and a fast disk stores in a fraction of a second.
Where the disk does not keep up, devices keep their readings, and their spools are larger than our memory."""


class Readings:
    """The table of readings, and the way of reports into it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._intake = Intake()
        self._gathering: _Gathering | None = None
        self.committed: Callable[[], None] = lambda: None
        """Called after each commit, when all who waited for it have been told."""

    def append(
        self,
        device: DeviceId,
        report: Report | DamagedReport,
        received: float,
        done: Callable[[Outcome], None],
    ) -> None:
        """Store ``report``, which came at ``received``; ``done`` is called once, when it is on disk or cannot be.

        With too much waiting already ``done`` is called at once, with an error; a commit is under way then. There is no
        Deferred, task or line of log for a report: this is where every reading passes.
        """
        try:
            if self._gathering is None:
                self._gathering = self._gather()
            self._gathering.add(Waiting(device, report, received, done))
        except StorageError as error:
            done(Outcome(error=error))

    def forget(self) -> None:
        """Take what is known of series from the database again; on the writer's thread."""
        self._intake.forget()

    def set_keep(self, device: DeviceId, series: str, keep: Keep) -> Deferred[None]:
        """Keep a series for so many days; what is None is for as many as the configuration says. Fails with
        ``NotFound``."""
        return self._database.write(partial(set_keep, device=device, name=series, keep=keep))

    def keep(self, device: DeviceId) -> Deferred[dict[str, Keep]]:
        """For how long each series of a device is kept, as ``set_keep`` takes it."""
        return self._database.read(partial(keep_of, device=device))

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

    def latest(self) -> Deferred[dict[DeviceId, dict[str, tuple[Value, float]]]]:
        """The newest value of each series of each device, with its time."""
        return self._database.read(history.latest)

    def query(self, question: Question) -> Deferred[Columns]:
        """What was measured, raw or in buckets. Fails with ``TooMuch`` where the answer would be too long."""
        return self._database.scan(lambda connection: history.query(connection, question))

    def page(self, device: DeviceId, series: str, start: float, end: float, after: Key | None = None) -> Deferred[Page]:
        """A piece of an answer of any length; pass its ``after`` to get the next one."""
        return self._database.scan(lambda connection: history.page(connection, device, series, start, end, after))

    def _gather(self) -> _Gathering:
        gathering = _Gathering(self._intake, self._close_gathering, lambda: self.committed())
        self._database.join(gathering)
        return gathering

    def _close_gathering(self) -> None:
        self._gathering = None


class _Gathering(Job):
    """The reports that share one commit."""

    _log = Logger()

    def __init__(self, intake: Intake, closed: Callable[[], None], told: Callable[[], None]) -> None:
        self._intake = intake
        self._closed = closed
        self._told = told
        self._reports: list[Waiting] = []
        self._readings = 0
        self._outcomes: list[Outcome] = []

    def add(self, waiting: Waiting) -> None:
        """Let one more report wait. Raises ``Busy``."""
        if self._readings >= MOST_WAITING:
            raise Busy
        report = waiting.report
        self._readings += len(report.readings) if isinstance(report, Report) else report.count
        self._reports.append(waiting)

    def started(self) -> None:
        self._closed()

    def run(self, connection: sqlite3.Connection) -> None:
        self._outcomes = self._intake.store(connection, self._reports)

    def ended(self, error: Exception | None) -> None:
        if error is not None:
            self._intake.forget()

    def tell(self, error: Exception | None) -> None:
        outcomes = self._outcomes if error is None else [self._failed(error)] * len(self._reports)
        for waiting, outcome in zip(self._reports, outcomes, strict=True):
            try:
                waiting.done(outcome)
            except Exception:
                self._log.failure("Telling what became of a report of {device} failed", device=waiting.device)
        self._told()

    def _failed(self, error: Exception) -> Outcome:
        if isinstance(error, StorageError):
            return Outcome(error=error)
        self._log.failure("Storing reports failed", failure=Failure(error))
        return Outcome(error=StorageError("Storing failed within the server: its log says more."))


def _set_lost(connection: sqlite3.Connection, device: DeviceId, lost: int, told: int) -> None:
    check_device(connection, device)
    change(connection, SET_LOST, device, lost, told)


def _lost(connection: sqlite3.Connection) -> dict[DeviceId, tuple[int, int]]:
    return {device: (lost, told) for device, lost, told in select(connection, LOST)}


def _accounts(connection: sqlite3.Connection) -> dict[DeviceId, Account]:
    return {device: Account(*numbers) for device, *numbers in select(connection, ACCOUNTS)}
