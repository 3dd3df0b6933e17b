"""The inbox: where reports are brought to disk as they came, and acknowledged; they are merged into the tables later.

The cost of making something durable is one wait for the disk, however much there is of it. So while one commit is under
way, the next one gathers: the more comes in, the less each costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from iotcenter.model import DeviceId
from iotcenter.storage.blocks import PAGE
from iotcenter.storage.errors import Busy, Closed, StorageError
from iotcenter.storage.journal import MOST_IN_BLOCK, Journal, View
from iotcenter.storage.queue import Done, Queue, Waiting
from iotcenter.storage.worker import Worker

MOST_WAITING = 8 * 1024 * 1024
"""Bytes that may wait for the next commits: a fast disk writes them in a fraction of a second. Where the disk does not
keep up, devices keep their readings, and their spools are larger than our memory."""

CROWDED_WAITING = MOST_WAITING * 3 // 4
"""Bytes that wait for the disk from which on the rest is kept for those devices of which little waits."""

MUCH_WAITING = MOST_WAITING // 4
"""Bytes of one device that wait for the disk from which on it has to wait itself where that is crowded: a fast link
fills all of it while the disk holds up one commit."""

MOST_BACKLOG = 512 * 1024 * 1024
"""Bytes on disk that may wait to be merged: a burst of some 15 seconds at the highest rate, and an hour of the same
work where it is spread. Past it devices keep their readings."""

CROWDED = MOST_BACKLOG * 3 // 4
"""Bytes of the backlog from which on the rest is kept for those devices that have little in it."""

MUCH = MOST_BACKLOG // 4
"""Bytes in the backlog of one device from which on it has to wait where that is crowded: one that reports like mad, or
empties a huge spool, does not keep the others from being heard."""

LEAST_EVERY = 0.0015
"""Seconds between the beginnings of two commits: a disk may be faster, but each costs processor time as some twenty
reports do, and so does each device that is in it, as some thirty: what comes meanwhile shares that."""

ENOUGH = PAGE
"""Bytes for which it is worth it to begin earlier, once nothing more comes: a disk writes as many at least."""


class Inbox:
    """A journal with a thread of its own, which writes one block after the other while the next one gathers."""

    _log = Logger()

    def __init__(self, directory: Path, reactor: Any, commit_every: float = 0.0) -> None:
        self._journal = Journal(directory)
        self._reactor = reactor
        self._commit_every = max(commit_every, LEAST_EVERY)
        self._gathers = commit_every > LEAST_EVERY
        self._thread = Worker(reactor, "inbox")
        self._queue = Queue()
        self._appended = self._ended_with = 0
        self._watching: list[tuple[int, Deferred[None]]] = []
        self._began = float("-inf")
        self._starting: Any = None
        self._looking = False
        self._writing = False
        self._open = False
        self._idle: Deferred[None] | None = None
        self.end = 0
        """The position behind all that was acknowledged."""
        self.merged = 0
        """The position up to which all is in the database."""
        self.trouble: StorageError | None = None
        """Why the last commit failed; None while all is well."""
        self.committed: Callable[[], None] = lambda: None
        """Called after each commit, when all who waited for it have been told."""

    def open(self, merged: int) -> None:
        """Take up what is there, of which all before the position ``merged`` is in the database. It blocks. Raises
        ``StorageError``."""
        self._journal.open(merged)
        self.merged = merged
        self.end = max(merged, self._journal.view().end)
        self._open = True

    def close(self) -> Deferred[None]:
        """Write what waits, take nothing more; fires when that is done."""
        if not self._open:
            return succeed(None)
        self._open = False
        closed = self._idle = Deferred()
        closed.addCallback(lambda _: self._thread.stop())
        self._hurry()
        self._look_idle()
        return closed

    def append(self, records: Sequence[bytes], done: Done) -> None:
        """Bring ``records`` to disk; ``done`` is called once, with what went wrong if anything did.

        With too much waiting already it is called at once. There is no Deferred, task or line of log for a record: this
        is where every reading passes.
        """
        if not self._open:
            done(Closed())
        elif self._queue.bytes >= MOST_WAITING or self.end - self.merged >= MOST_BACKLOG:
            done(Busy())
        else:
            self._queue.add(records, done)
            self._appended += 1
            if self._starting is None and not self._writing:
                self._schedule()
            elif self._queue.bytes >= MOST_IN_BLOCK:
                self._hurry()
            elif not self._writing:
                self._look_for_more()

    @property
    def crowded(self) -> bool:
        """Whether there may be devices that ``must_wait``."""
        return self._queue.bytes >= CROWDED_WAITING or self.end - self.merged >= CROWDED

    def must_wait(self, device: DeviceId) -> bool:
        """Whether so much of that device is here, in memory or on disk, that what room is left is for others."""
        return (self._queue.bytes >= CROWDED_WAITING and self._queue.bytes_of(device) >= MUCH_WAITING) or (
            self.end - self.merged >= CROWDED and self._journal.bytes_of(device) >= MUCH
        )

    def written(self) -> Deferred[None]:
        """Fires when nothing waits any more of what was appended by now."""
        written: Deferred[None] = Deferred()
        self._watching.append((self._appended, written))
        self._tell_written()
        return written

    def view(self) -> View:
        """What is in it now; for any thread. To be taken before the position from which on it is read."""
        return self._journal.view()

    def drop(self, merged: int) -> None:
        """All before the position ``merged`` is in the database now, and may go."""
        self.merged = merged
        if self._open:
            self._thread.do(self._journal.drop, merged).addErrback(
                lambda failure: self._log.warn("{why}", why=failure.getErrorMessage())
            )

    def _schedule(self) -> None:
        """Begin a commit as soon as it may be. Not at once: what else comes in this turn of the reactor shares it."""
        self._starting = self._reactor.callLater(self._wait(), self._start)
        self._look_for_more()

    def _look_for_more(self) -> None:
        """Where there is enough, begin once a whole turn of the reactor brings nothing more: devices that wait for
        acknowledgements send nothing meanwhile. Time by itself is coarse: the reactor sleeps for whole milliseconds."""
        if not self._looking and not self._gathers and self._queue.bytes >= ENOUGH:
            self._looking = True
            self._reactor.callLater(0, self._look, 0)

    def _look(self, seen: int) -> None:
        """A turn is over, before which so many had been appended; 0 where it was not a whole one."""
        self._looking = False
        if self._starting is None:
            return
        if seen == self._appended:
            self._hurry()
            return
        self._looking = True
        self._reactor.callLater(0, self._look, self._appended)

    def _wait(self) -> float:
        """Seconds until a commit may begin."""
        wait = self._commit_every if self._queue.bytes < MOST_IN_BLOCK and self._open else 0.0
        return max(0.0, self._began + wait - float(self._reactor.seconds()))

    def _hurry(self) -> None:
        """What waits need not wait for its time: it is a block, or nothing more comes."""
        if self._starting is not None:
            self._starting.reset(0)

    def _start(self) -> None:
        self._starting = None
        self._writing = True
        self._began = self._reactor.seconds()
        waiting = self._queue.take(MOST_IN_BLOCK)
        records = [record for one in waiting for record in one.records]
        writing = self._thread.do(self._journal.append, records)
        writing.addCallbacks(self._written, self._failed, callbackArgs=(waiting,), errbackArgs=(waiting,))

    def _written(self, end: int, waiting: list[Waiting]) -> None:
        self.end = end
        self._ended(waiting, None)

    def _failed(self, failure: Failure, waiting: list[Waiting]) -> None:
        error = failure.value
        if not isinstance(error, StorageError):
            self._log.failure("Writing into the inbox failed", failure)
            error = StorageError("Storing failed within the server: its log says more.")
        self._ended(waiting, error)

    def _ended(self, waiting: list[Waiting], error: StorageError | None) -> None:
        self._writing = False
        if self._queue:
            self._next()  # before all else: the disk works while those who waited are told
        self._notice(error)
        for one in waiting:
            try:
                one.done(error)
            except Exception:
                self._log.failure("Somebody who waited for the inbox failed")
        self._ended_with += len(waiting)
        self._tell_written()
        self.committed()
        self._look_idle()

    def _tell_written(self) -> None:
        for count, written in tuple(self._watching):
            if count <= self._ended_with:
                self._watching.remove((count, written))
                written.callback(None)

    def _next(self) -> None:
        if self._wait():
            self._schedule()
        else:
            self._start()

    def _notice(self, error: StorageError | None) -> None:
        before, self.trouble = self.trouble, error
        if error is not None and before is None:
            self._log.error("No reading can be stored: {reason}", reason=str(error))
        elif error is None and before is not None:
            self._log.info("Readings are stored again.")

    def _look_idle(self) -> None:
        if self._idle is not None and not (self._queue or self._writing):
            idle, self._idle = self._idle, None
            self._reactor.callLater(0, idle.callback, None)  # those who waited for an answer hear it first
