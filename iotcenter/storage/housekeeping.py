"""What is done between the commits of others, a little at a time: old readings are dropped, and room is given back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from iotcenter.storage.cover import FOREVER
from iotcenter.storage.database import Database
from iotcenter.storage.errors import StorageError
from iotcenter.storage.forecast import newest_note, note_size
from iotcenter.storage.readings import Readings
from iotcenter.storage.retention import DAY_SECONDS, From, Keep, advance, delete, drop_some, droppable, due, earliest
from iotcenter.storage.rollups import reckon, to_reckon
from iotcenter.storage.sql import change, select
from iotcenter.storage.tiers import LEVELS

T = TypeVar("T")
Step = Callable[[sqlite3.Connection], Any]

REMOVED = "SELECT id FROM series WHERE device IS NULL LIMIT 1"
FORGET_SERIES = "DELETE FROM series WHERE id = ?"
FREE_PAGES = "SELECT freelist_count, page_count FROM pragma_freelist_count, pragma_page_count"

GIVE_BACK = "PRAGMA incremental_vacuum(1)"
"""One page, whatever the number: of a statement without columns, Python's ``sqlite3`` takes the first step alone."""

EVERY = 3600.0
"""Seconds between two rounds: retention goes by days, and the forecast by hours."""

MOST_AHEAD = 2 * DAY_SECONDS
"""Seconds that retention goes on beyond the round before. So a clock that was set years ahead, and is set right within
the hour, does not cost years of readings; and a server that was off for long drops what it shall a round later."""

BREATHER = 0.02
"""The least seconds between two steps. Else it is as long as the step took: half of the time belongs to the others."""

SPARE = 20
"""One page in so many may stay free for what comes next: room that is given back and taken again wears out cards."""

PAGES_AT_ONCE = 256
"""Pages that are given back in one step: a megabyte."""


class Housekeeping:
    """Takes one short step after another, each a write of its own, until there is nothing to do; then it rests."""

    _log = Logger()

    def __init__(self, database: Database, reactor: Any, readings: Readings) -> None:
        self._database = database
        self._reactor = reactor
        self._readings = readings
        self._keep = Keep()
        self._now: Callable[[], float] = lambda: 0.0
        self._running: Deferred[None] | None = None
        self._resting: Deferred[None] | None = None
        self._woken = False

    def start(self, keep: Keep, now: Callable[[], float]) -> None:
        """Begin. ``keep`` is for series that have no rule of their own; ``now`` is the Unix time."""
        self._keep, self._now = keep, now
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(lambda failure: failure.trap(CancelledError))
        self._running.addErrback(lambda failure: self._log.failure("Housekeeping ended", failure))

    def stop(self) -> None:
        """Take no further step; one that is under way ends with the database."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()

    def wake(self) -> None:
        """There is something to do: a device was removed, or less shall be kept of a series. A round that is under way
        may be past it: then another one follows."""
        self._woken = True
        if self._resting is not None and not self._resting.called:
            self._resting.cancel()

    async def _run(self) -> None:
        while True:
            self._woken = False
            try:
                await self._round()
            except StorageError as error:  # the disk may be full: the next round tries again
                self._log.warn("Housekeeping was put off: {why}", why=str(error))
            await self._rest()

    async def _round(self) -> None:
        await self._repeat(_reckon_some)
        await self._repeat(remove_some)
        series = await self._advance()
        for kept in await self._database.scan(partial(droppable, series=series)):
            await self._repeat(partial(drop_some, kept=kept))
        await self._repeat(give_back)
        await self._database.write(partial(note_size, now=self._now()))

    async def _advance(self) -> list[From]:
        """Note what is kept of each series from now on.

        Older readings are refused first, and then those merged that were acknowledged before: so nothing is refused
        that was said to be kept.
        """
        series, today = await self._database.read(self._due)
        self._readings.refuse_older(earliest(series, self._keep.from_days(today)[0]))
        await self._readings.written()
        await self._readings.settled()
        await self._database.write(partial(self._write_due, series=series))
        return series

    def _due(self, connection: sqlite3.Connection) -> tuple[list[From], int]:
        now = min(self._now(), newest_note(connection) + MOST_AHEAD)
        today = int(now // DAY_SECONDS)
        return due(connection, today, self._keep), today

    def _write_due(self, connection: sqlite3.Connection, series: list[From]) -> None:
        self._readings.forget()
        advance(connection, series)

    async def _repeat(self, step: Step) -> None:
        """Take ``step`` until it finds nothing more to do, leaving time for others between."""
        while True:
            more, seconds = await self._database.write(partial(_timed, step=step))
            if not more:
                return
            await deferLater(self._reactor, max(BREATHER, seconds))

    async def _rest(self) -> None:
        self._resting = deferLater(self._reactor, 0.0 if self._woken else EVERY)
        try:
            await self._resting
        except CancelledError:
            if self._running is None:
                raise


def _timed(connection: sqlite3.Connection, step: Step) -> tuple[bool, float]:
    began = monotonic()
    return bool(step(connection)), monotonic() - began


def _reckon_some(connection: sqlite3.Connection) -> bool:
    """Reckon a day that was not reckoned yet."""
    days = to_reckon(connection, 1)
    for series, day in days:
        reckon(connection, series, day)
    return bool(days)


def remove_some(connection: sqlite3.Connection) -> bool:
    """Delete some of a series whose device was removed, and in the end the series."""
    removed = select(connection, REMOVED)
    for (series,) in removed:
        if not any(delete(connection, level, series, FOREVER) for level in reversed(LEVELS)):
            change(connection, FORGET_SERIES, series)
    return bool(removed)


def give_back(connection: sqlite3.Connection) -> bool:
    """Shorten the file by some of its free pages."""
    [(free, pages)] = select(connection, FREE_PAGES)
    if free <= pages // SPARE:
        return False
    for _ in range(min(PAGES_AT_ONCE, free - pages // SPARE)):
        connection.execute(GIVE_BACK)
    return True
