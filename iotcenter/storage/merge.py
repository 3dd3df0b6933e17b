"""One step of merging: entries of the inbox go into the tables, in one transaction with how far that came."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from twisted.logger import Logger

from iotcenter.model import DeviceId
from iotcenter.storage.aside import SetAside
from iotcenter.storage.batch import Outcome
from iotcenter.storage.blocks import Damaged, pack_frames
from iotcenter.storage.commit import Job, attempt
from iotcenter.storage.entries import Entry, entries, joined, position, size
from iotcenter.storage.inbox import Inbox
from iotcenter.storage.intake import Intake
from iotcenter.storage.journal import View
from iotcenter.storage.sql import change
from iotcenter.wire.codec import encode_report
from iotcenter.wire.errors import WireError

SET_POSITION = "INSERT OR REPLACE INTO inbox (id, position) VALUES (1, ?)"

MOST_AT_ONCE = 10_000
"""Readings of one transaction at most: some tens of milliseconds of work, for which others wait who want to write."""


class Merged(NamedTuple):
    """What merging found of a device's readings."""

    received: int = 0
    duplicates: int = 0
    late: int = 0
    refused: int = 0

    def plus(self, outcome: Outcome) -> Merged:
        """The same with what became of one report more."""
        return Merged(
            self.received + len(outcome.new),
            self.duplicates + outcome.duplicates,
            self.late + outcome.late,
            self.refused + len(outcome.refused),
        )


class Merge(Job):
    """One transaction of some ``readings``. ``more`` says that it left something in the inbox."""

    _log = Logger()

    def __init__(
        self,
        inbox: Inbox,
        intake: Intake,
        aside: SetAside,
        ended: Callable[[Merge, Exception | None], None],
        readings: int,
    ) -> None:
        self._inbox = inbox
        self._intake = intake
        self._aside = aside
        self._tell = ended
        self._readings = readings
        self.position = 0
        self.more = False
        self.merged: dict[DeviceId, Merged] = {}

    def run(self, connection: sqlite3.Connection) -> None:
        view = self._inbox.view()
        self.position = position(connection)
        self._store(connection, self._take(view))
        change(connection, SET_POSITION, self.position)

    def ended(self, error: Exception | None) -> None:
        if error is not None:
            self._intake.forget()

    def tell(self, error: Exception | None) -> None:
        self._tell(self, error)

    def _take(self, view: View) -> list[Entry]:
        """The next entries. Those that nobody can read are left behind here, and said."""
        taken: list[Entry] = []
        readings = 0
        for record in view.after(self.position):
            if readings >= self._readings:
                self.more = True
                return taken
            if isinstance(record, Damaged):
                self._log.error("A record of the inbox is damaged, and its readings are lost")
                continue
            self.position = record.end
            try:
                found = list(entries(record))
            except WireError as error:
                self._aside.keep(record.device, record.received, record.frames, str(error))
                continue
            taken += found
            readings += sum(size(entry.report) for entry in found)
        self.position = max(self.position, view.end)
        return taken

    def _store(self, connection: sqlite3.Connection, taken: Sequence[Entry]) -> None:
        """Store all together; where that fails, one by one, so that only those are set aside that are at fault."""
        if attempt(connection, partial(self._store_together, taken=joined(taken))) is None:
            return
        for entry in taken:
            self._intake.forget()
            error = attempt(connection, partial(self._store_together, taken=[entry]))
            if error is not None:
                frames = pack_frames([encode_report(entry.report)])
                self._aside.keep(entry.device, entry.received, frames, f"{type(error).__name__}: {error}")
        self._intake.forget()

    def _store_together(self, connection: sqlite3.Connection, taken: Sequence[Entry]) -> None:
        outcomes = self._intake.store(connection, taken)
        for entry, outcome in zip(taken, outcomes, strict=True):
            before = self.merged.get(entry.device, _NOTHING)
            self.merged[entry.device] = before.plus(outcome)


_NOTHING = Merged()
