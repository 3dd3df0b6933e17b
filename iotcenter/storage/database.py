"""The database: one connection writes, in commits shared by all who wait; others read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from twisted.enterprise.adbapi import ConnectionPool
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from iotcenter.storage import connections
from iotcenter.storage.commit import Job, WriteJob, commit
from iotcenter.storage.errors import (
    Busy,
    Closed,
    DatabaseDamaged,
    DiskTrouble,
    StorageError,
    driver_errors_in_words,
    in_words,
)

T = TypeVar("T")
R = TypeVar("R")

MOST_WAITING = 1000
"""How many writes, and how many reads, may wait: more than a busy second brings. Past it the disk does not keep up, and
waiting longer would only make memory go too."""


READ_WITHIN = 5.0
"""Seconds that one read may take: far more than a page needs, and nobody keeps the few readers from the others."""

LOOK_EVERY = 100_000
"""Steps of SQLite's machine between two looks at the clock: about a millisecond."""


class Database:
    """SQLite behind two doors, ``read`` and ``write``; what goes wrong comes out of both as a ``StorageError``.

    The functions that they take run on threads of their own: they touch the connection that they are given, and nothing
    that the reactor's thread may change. An exception of their own undoes what they wrote, and comes out as it is.
    """

    _log = Logger()

    def __init__(self, path: Path, reactor: Any) -> None:
        self._path = path
        self._reactor = reactor
        self._gathering: list[Job] = []
        self._starting: IDelayedCall | None = None
        self._committing = False
        self._reading = 0
        self._open = False
        self._idle: Deferred[None] | None = None
        self.trouble: StorageError | None = None
        """Why the last commit failed; None while all is well."""
        self.damaged = False
        """Whether anything that was read or written showed that the file is damaged."""

    def open(self) -> None:
        """Make the database or bring it up to date. It blocks: to be done before anything listens.

        Raises ``StorageError``.
        """
        connections.prepare(self._path)
        self._writer = connections.writer(self._path, self._reactor)
        self._readers = connections.readers(self._path, self._reactor)
        self._scanner = connections.scanner(self._path, self._reactor)
        self._open = True

    def look(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """What ``function`` finds, at once. It blocks: to be done before anything listens. Raises ``StorageError``."""
        with (
            driver_errors_in_words(),
            closing(sqlite3.connect(self._path, timeout=connections.LOCK_WAIT)) as connection,
        ):
            connections.as_reader(connection)
            return function(connection)

    def close(self) -> Deferred[None]:
        """Finish what waits, take nothing more, and close the file; fires when all that is done."""
        if not self._open:
            return succeed(None)
        self._open = False
        closed = self._idle = Deferred()
        closed.addCallback(self._close_connections)
        self._look_idle()
        return closed

    def _close_connections(self, _: None) -> None:
        self._readers.close()
        self._scanner.close()
        self._writer.close()  # last, so that it is the writer that folds the log into the database

    def read(self, function: Callable[[sqlite3.Connection], T]) -> Deferred[T]:
        """What ``function`` returns, which sees the database as it is at one moment."""
        return self._read(self._readers, function)

    def scan(self, function: Callable[[sqlite3.Connection], T]) -> Deferred[T]:
        """The same for what reads through many rows: it waits for others of its kind, and ``read`` not for it."""
        return self._read(self._scanner, function)

    def _read(self, pool: ConnectionPool, function: Callable[[sqlite3.Connection], T]) -> Deferred[T]:
        if not self._open:
            return fail(Closed())
        if self._reading >= MOST_WAITING:
            return fail(Busy())
        self._reading += 1
        reading: Deferred[T] = pool.runWithConnection(_at_one_moment, function)
        reading.addBoth(self._read_ended)
        reading.addErrback(self._in_words)
        # Its own Deferred: who stops waiting does not end the work on its thread, which counts until it is done.
        waiting: Deferred[T] = Deferred()
        reading.addCallbacks(waiting.callback, waiting.errback)
        return waiting

    def write(self, function: Callable[[sqlite3.Connection], T]) -> Deferred[T]:
        """What ``function`` returns, once what it wrote is on disk."""
        job = WriteJob(function)
        try:
            self.join(job)
        except StorageError as error:
            return fail(error)
        return job.deferred

    def join(self, job: Job) -> None:
        """Let ``job`` take part in the next commit, which begins when the present one ends.

        Raises ``Busy`` or ``Closed``.
        """
        if not self._open:
            raise Closed
        if len(self._gathering) >= MOST_WAITING:
            raise Busy
        self._gathering.append(job)
        if not self._committing and self._starting is None:
            # Not at once: what else comes in this turn of the reactor shares the commit.
            self._starting = self._reactor.callLater(0, self._start)

    def _start(self) -> None:
        self._starting = None
        self._committing = True
        jobs, self._gathering = self._gathering, []
        for job in jobs:
            job.started()
        ending: Deferred[list[Exception | None]]
        ending = deferToThreadPool(self._reactor, self._writer.threadpool, _commit, self._writer, jobs)
        ending.addCallback(self._ended, jobs)

    def _ended(self, errors: list[Exception | None], jobs: list[Job]) -> None:
        self._committing = False
        if self._gathering:
            self._start()  # before all else: the disk works while those who waited are told
        self._notice(errors[0])
        for job, error in zip(jobs, errors, strict=True):
            self._tell(job, error)
        self._look_idle()

    def _tell(self, job: Job, error: Exception | None) -> None:
        """Let those who wait know; one that fails over it does not keep it from the others."""
        try:
            job.tell(error)
        except Exception:
            self._log.failure("Somebody who waited for storage failed")

    def _notice(self, error: Exception | None) -> None:
        """Remember and log that storing stops working, or works again. Trouble with the disk is every job's."""
        self._look_for_damage(error)
        before, self.trouble = self.trouble, error if isinstance(error, DiskTrouble) else None
        if self.trouble is not None and before is None:
            self._log.error("Nothing can be stored: {reason}", reason=str(self.trouble))
        elif self.trouble is None and before is not None:
            self._log.info("Storing works again.")

    def _in_words(self, failure: Failure) -> Failure:
        if not isinstance(failure.value, sqlite3.Error):
            return failure
        error = in_words(failure.value)
        self._look_for_damage(error)
        return Failure(error)

    def _look_for_damage(self, error: Exception | None) -> None:
        if isinstance(error, DatabaseDamaged) and not self.damaged:
            self.damaged = True
            self._log.error("{reason}", reason=str(error))

    def _read_ended(self, result: R) -> R:
        self._reading -= 1
        self._look_idle()
        return result

    def _look_idle(self) -> None:
        if self._idle is not None and not (self._gathering or self._committing or self._reading):
            idle, self._idle = self._idle, None
            self._reactor.callLater(0, idle.callback, None)  # those who waited for an answer hear it first


def _at_one_moment(connection: sqlite3.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
    until = monotonic() + READ_WITHIN
    connection.set_progress_handler(lambda: monotonic() > until, LOOK_EVERY)
    connection.execute("BEGIN")  # the pool ends it
    return function(connection)


def _commit(pool: ConnectionPool, jobs: list[Job]) -> list[Exception | None]:
    """On the writer's thread: do ``jobs``, and let them know. An error of the commit is every job's error."""
    try:
        errors = _commit_or_reopen(pool, jobs)
    except Exception as failure:
        errors = [in_words(failure) if isinstance(failure, sqlite3.Error) else failure] * len(jobs)
    for job, error in zip(jobs, errors, strict=True):
        job.ended(error)
    return errors


def _commit_or_reopen(pool: ConnectionPool, jobs: list[Job]) -> list[Exception | None]:
    """Do ``jobs``. A connection that failed is closed: the next commit opens another, and sees what is really there."""
    connection = pool.connect()
    try:
        return commit(connection, jobs)
    except BaseException:
        pool.disconnect(connection)
        raise
