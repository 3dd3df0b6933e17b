"""Looks after a database: it is whole before it is opened, and what its operator should know is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from iotcenter.storage.damage import Health, check
from iotcenter.storage.database import Database
from iotcenter.storage.recovery import make_whole, reports
from iotcenter.storage.space import Space

DAMAGED = "The database is damaged. Start the server again: it then saves what can be read."


class Care:
    """One run of ``database``, which is in ``file``."""

    _log = Logger()

    def __init__(self, file: Path, database: Database, reactor: Any) -> None:
        self._file = file
        self._database = database
        self._reactor = reactor
        self._space = Space(file.parent)
        self._health: Health | None = None
        self._checking: Deferred[None] = succeed(None)
        self._stopping = False

    def open(self) -> None:
        """Open the database, and save what can be read of a damaged one. A check that takes long goes on beside.

        It blocks. Raises ``StorageError``.
        """
        health = make_whole(self._file)
        self._database.open()
        self._health = health
        for notice in self.notices():
            self._log.warn("{notice}", notice=notice)
        if not health.checked:
            pool = self._reactor.getThreadPool()
            checking = deferToThreadPool(self._reactor, pool, check, self._file, lambda: self._stopping)
            self._checking = checking.addCallback(self._checked, health)

    def close(self) -> Deferred[None]:
        """Close the database, and leave a mark where all is well."""
        self._stopping = True
        return self._checking.addCallback(lambda _: self._database.close()).addCallback(self._closed)

    def notices(self) -> tuple[str, ...]:
        """What the operator should know, and do something about, though storing works."""
        damaged = (DAMAGED,) if self._database.damaged else ()
        return damaged + reports(self._file.parent) + self._space.notices()

    def _checked(self, outcome: tuple[str | None, bool], health: Health) -> None:
        fault, health.checked = outcome
        if fault is not None:
            self._log.error("The database is damaged: {fault}", fault=fault)
            self._database.damaged = True
        elif health.checked:
            self._note(health.begin)

    def _closed(self, _: None) -> None:
        health, self._health = self._health, None
        if health is not None:
            self._note(lambda: health.end(self._database.damaged or not health.checked))

    def _note(self, write: Any) -> None:
        try:
            write()
        except OSError as error:  # such as a full disk: the next start looks at the database
            self._log.warn("The state of the database is not noted: {reason}", reason=error.strerror)
