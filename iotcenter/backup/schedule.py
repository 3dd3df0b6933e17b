"""Backups by themselves: made in a process of their own, so that nothing in the server waits for them."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from iotcenter.backup.workspace import WORKSPACE
from iotcenter.config import BackupSettings
from iotcenter.interfaces import Clock

NAME = "iotcenter-%Y%m%d-%H%M%S.tar.gz"
PATTERN = re.compile(r"iotcenter-\d{8}-\d{6}\.tar\.gz(\.age)?")

HOUR = 3600.0

SOON = 60.0
"""Seconds after the start at which one that is due is made: first the devices come back."""

AGAIN = HOUR
"""Seconds after which one that failed is tried again."""

MOST_SAID = 10_000
"""Characters that are kept of what the process says."""

STALE = 86400.0
"""Seconds after which a folder that a killed process left is removed."""


class Schedule(Service):
    """Makes a backup of ``directory`` every so often, and removes the oldest."""

    log = Logger()

    def __init__(
        self, reactor: Any, clock: Clock, directory: Path, settings: BackupSettings, configuration: Path | None
    ) -> None:
        self._reactor = reactor
        self._clock = clock
        self._directory = directory
        self._settings = settings
        self._configuration = configuration
        self._folder = Path(settings.directory)
        self._next: Any = None
        self._process: _Process | None = None
        self._trouble = ""
        self.last: float | None = None
        """When the newest one was made, as far as is known."""
        self.due: float | None = None
        """When the next one is made."""

    @property
    def state(self) -> str:
        """``ok``, ``off``, or why the last one failed."""
        return self._trouble or ("ok" if self._settings.every else "off")

    def startService(self) -> None:
        """Look when the next one is due."""
        super().startService()
        if self._settings.every:
            self.last = max((path.stat().st_mtime for path in _backups(self._folder)), default=None)
            self._plan(max(SOON, (self.last or 0.0) + self._settings.every * HOUR - self._clock.seconds()))

    def stopService(self) -> Deferred[None]:
        """Make none any more; one that is being made is given up."""
        super().stopService()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        return Deferred.fromCoroutine(self._give_up())

    async def _give_up(self) -> None:
        process = self._process
        if process is not None:
            process.stop()
            await process.gone()

    def _plan(self, delay: float) -> None:
        self._next = self._reactor.callLater(delay, self._begin)
        self.due = self._clock.seconds() + delay

    def _begin(self) -> None:
        self._next = None
        Deferred.fromCoroutine(self._make()).addErrback(lambda failure: self.log.failure("A backup failed", failure))

    async def _make(self) -> None:
        name = time.strftime(NAME, time.localtime(self._clock.seconds()))
        target = self._folder / (f"{name}.age" if self._settings.passphrase_file else name)
        process = self._process = _Process()
        self._reactor.spawnProcess(process, sys.executable, self._words(target), env=None)
        status = await process.gone()
        self._process = None
        if not self.running:
            return
        self._trouble = "" if status == 0 else f"the backup failed: {process.said.strip() or f'status {status}'}"
        if self._trouble:
            self.log.error("{trouble}", trouble=self._trouble)
        else:
            self.last = self._clock.seconds()
            self.log.info("A backup is made: {target}", target=target)
            _prune(self._folder, self._settings.keep, self._clock.seconds())
        self._plan(AGAIN if self._trouble else self._settings.every * HOUR)

    def _words(self, target: Path) -> list[str]:
        words = [sys.executable, "-m", "iotcenter.cli", "--data", str(self._directory), "backup", str(target), "--json"]
        if self._settings.passphrase_file:
            words += ["--passphrase-file", self._settings.passphrase_file]
        if self._configuration is not None:
            words += ["--config", str(self._configuration)]
        return words


class _Process(ProcessProtocol):
    """The process that makes one."""

    def __init__(self) -> None:
        self.said = ""
        self._status: int | None = None
        self._waiting: list[Deferred[int]] = []

    def gone(self) -> Deferred[int]:
        """Fires with the status with which it ended."""
        waiter: Deferred[int] = Deferred()
        self._waiting.append(waiter)
        self._tell()
        return waiter

    def stop(self) -> None:
        """End it; what it has begun it removes."""
        transport: Any = self.transport
        if self._status is None:
            transport.signalProcess("INT")

    def errReceived(self, data: bytes) -> None:
        """It complains."""
        self.said = (self.said + data.decode("utf-8", "replace"))[-MOST_SAID:]

    def processEnded(self, reason: Failure) -> None:
        """It is gone."""
        ended: Any = reason.value
        self._status = ended.exitCode if ended.exitCode is not None else -1
        self._tell()

    def _tell(self) -> None:
        if self._status is not None:
            waiting, self._waiting = self._waiting, []
            for waiter in waiting:
                waiter.callback(self._status)


def _backups(folder: Path) -> Sequence[Path]:
    """The backups that were made by themselves, oldest first."""
    if not folder.is_dir():
        return ()
    return sorted(path for path in folder.iterdir() if PATTERN.fullmatch(path.name))


def _prune(folder: Path, keep: int, now: float) -> None:
    for path in _backups(folder)[:-keep]:
        path.unlink(missing_ok=True)
    for left in folder.glob(f"{WORKSPACE}*"):
        if now - left.stat().st_mtime > STALE:
            shutil.rmtree(left, ignore_errors=True)
