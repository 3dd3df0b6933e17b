"""When what is in the inbox is merged into the tables: in short transactions, as often as it is worth it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from iotcenter.model import DeviceId
from iotcenter.storage import merge
from iotcenter.storage.aside import SetAside
from iotcenter.storage.database import Database
from iotcenter.storage.errors import Closed, StorageError, TookTooLong
from iotcenter.storage.inbox import Inbox
from iotcenter.storage.intake import Intake
from iotcenter.storage.merge import Merge, Merged
from iotcenter.storage.pace import Pace

MERGE_EVERY = 1.0
"""Seconds between two merges while little comes in: each rewrites a page of every series that has something new."""

RETRY = 1.0
"""Seconds from a merge that failed to the next one."""

STOP_WITHIN = 2.0
"""Seconds that merging goes on at the end, so that a database is usually complete where the server stands still."""


class Merger:
    """Merges for as long as there is something in the inbox; one transaction at a time."""

    _log = Logger()

    def __init__(
        self, database: Database, inbox: Inbox, intake: Intake, aside: SetAside, reactor: Any, every: float = 0.0
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._intake = intake
        self._aside = aside
        self._reactor = reactor
        self._every = max(every, MERGE_EVERY)
        self._pace = Pace()
        self._next: Any = None
        self._merging = False
        self._running = False
        self._began = float("-inf")
        self._stop_by = 0.0
        self._stopped: Deferred[None] | None = None
        self._settling: list[tuple[int, Deferred[None]]] = []
        self.merged: Callable[[Mapping[DeviceId, Merged]], None] = lambda _: None
        """Told after each transaction what came of each device's readings."""

    def start(self) -> None:
        """Begin; whoever keeps accounts has read them by now."""
        self._running = True
        self.wake()

    def stop(self) -> Deferred[None]:
        """Merge what is left, though not for long; fires when nothing is under way any more."""
        if not self._running:
            return succeed(None)
        stopped = self._stopped = Deferred()
        self._stop_by = self._reactor.seconds() + STOP_WITHIN
        if self._next is not None:
            self._next.reset(0)
        elif not self._merging and self._may_go_on():
            self.wake()
        return stopped

    def forget(self) -> None:
        """Take what is at hand of devices from the database again; on the writer's thread."""
        self._intake.forget()

    def settled(self, within: float | None = None) -> Deferred[None]:
        """Fires when all is in the tables that is acknowledged by now. Fails with ``StorageError`` where merging fails,
        or nobody merges, and where it takes longer than ``within`` seconds."""
        settled: Deferred[None] = Deferred()
        self._settling.append((self._inbox.end, settled))
        if within is not None:
            settled.addTimeout(within, self._reactor, lambda _, __: _too_long())
        self._tell_settled()
        if not self._running:
            self._give_up(Closed())
        elif self._next is not None:
            self._next.reset(0)
        return settled

    def wake(self) -> None:
        """There is something in the inbox."""
        if self._running and self._waits and self._next is None and not self._merging:
            self._schedule(0.0 if self._urgent else max(0.0, self._began + self._every - self._reactor.seconds()))

    @property
    def _waits(self) -> bool:
        return self._inbox.merged < self._inbox.end

    @property
    def _urgent(self) -> bool:
        """Whether somebody waits for all to be merged."""
        return bool(self._settling) or self._stopped is not None

    def _schedule(self, delay: float) -> None:
        self._next = self._reactor.callLater(delay, self._merge)

    def _merge(self) -> None:
        self._next = None
        self._merging = True
        self._began = self._reactor.seconds()
        try:
            readings = math.ceil(merge.MOST_AT_ONCE * (1.0 if self._urgent else self._pace.piece))
            self._database.join(Merge(self._inbox, self._intake, self._aside, self._ended, readings))
        except StorageError as error:  # so much is to be written that this has to wait
            self._failed(error)

    def _ended(self, job: Merge, error: Exception | None) -> None:
        if error is not None:
            self._failed(error)
            return
        self._merging = False
        merged = job.position - self._inbox.merged
        self._inbox.drop(job.position)
        self.merged(job.merged)
        self._tell_settled()
        if job.more and self._may_go_on():
            self._schedule(self._pause(merged))
        elif self._may_go_on():
            self.wake()

    def _failed(self, error: Exception) -> None:
        self._merging = False
        if not isinstance(error, StorageError):
            self._log.failure("Merging the inbox failed", Failure(error))
            error = StorageError("Merging failed within the server: its log says more.")
        self._give_up(error)
        if self._may_go_on():
            self._schedule(RETRY)

    def _pause(self, merged: int) -> float:
        """Seconds until the next merge while there is a backlog, after one of so many bytes."""
        now = self._reactor.seconds()
        pause = self._pace.pause(now, now - self._began, merged, self._inbox.merged, self._inbox.end)
        return 0.0 if self._urgent else pause

    def _may_go_on(self) -> bool:
        """Whether merging goes on; where it was to stop and has merged all, or used up its time, it ends here."""
        if self._stopped is None:
            return self._running
        if self._waits and self._reactor.seconds() < self._stop_by:
            return True
        self._running = False
        stopped, self._stopped = self._stopped, None
        self._give_up(Closed())
        stopped.callback(None)
        return False

    def _give_up(self, error: Exception) -> None:
        settling, self._settling = self._settling, []
        for _, settled in settling:
            settled.errback(error)

    def _tell_settled(self) -> None:
        for end, settled in tuple(self._settling):
            if end <= self._inbox.merged:
                self._settling.remove((end, settled))
                settled.callback(None)


def _too_long() -> NoReturn:
    raise TookTooLong
