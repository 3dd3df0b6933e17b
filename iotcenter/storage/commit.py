"""One commit for many: what waits is done in one transaction, and fails one by one.

The cost of making something durable is one wait for the disk, however much there is of it. So while one commit is under
way, the next one gathers: the more comes in, the less each costs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred

from iotcenter.storage.errors import DiskTrouble, in_words

T = TypeVar("T")


class Job:
    """A part of a commit. Its four methods are called once each, in this order."""

    def started(self) -> None:
        """On the reactor's thread: the commit begins, and this job takes nothing more in."""

    def run(self, connection: sqlite3.Connection) -> None:
        """On the writer's thread, in a savepoint of its own: what this raises undoes this job alone."""

    def ended(self, error: Exception | None) -> None:
        """On the writer's thread, before the next commit begins: it is on disk, or ``error`` says why it is not."""

    def tell(self, error: Exception | None) -> None:
        """On the reactor's thread: as ``ended``, for those who wait. It does not raise."""


class WriteJob(Job, Generic[T]):
    """One function that writes; ``deferred`` fires with what it returned."""

    def __init__(self, function: Callable[[sqlite3.Connection], T]) -> None:
        self.deferred: Deferred[T] = Deferred()
        self._function = function
        self._result: T

    def run(self, connection: sqlite3.Connection) -> None:
        self._result = self._function(connection)

    def tell(self, error: Exception | None) -> None:
        if error is None:
            self.deferred.callback(self._result)
        else:
            self.deferred.errback(error)


def commit(connection: sqlite3.Connection, jobs: Sequence[Job]) -> list[Exception | None]:
    """Run ``jobs`` in one transaction. Returns what each failed with, None for those that are on disk now.

    Raises ``sqlite3.Error`` where all of it failed. Close the connection then: what it believes cannot be trusted.
    """
    connection.execute("BEGIN IMMEDIATE")
    errors = [attempt(connection, job.run) for job in jobs]
    connection.execute("COMMIT")
    return errors


def attempt(connection: sqlite3.Connection, run: Callable[[sqlite3.Connection], None]) -> Exception | None:
    """Do ``run`` in a savepoint of its own; where it fails, what it wrote is undone, and comes back is why.

    Trouble with the disk is everybody's, and raised.
    """
    connection.execute("SAVEPOINT attempt")
    failed: Exception | None = None
    try:
        run(connection)
    except sqlite3.Error as error:
        failed = in_words(error)
        if isinstance(failed, DiskTrouble):
            raise
        failed.__cause__ = error
    except Exception as error:
        failed = error
    if failed is not None:
        connection.execute("ROLLBACK TO attempt")
    connection.execute("RELEASE attempt")
    return failed
