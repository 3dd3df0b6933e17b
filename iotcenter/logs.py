"""Where the server's log goes, and how a flood is kept out of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    LogPublisher,
    formatEvent,
    textFileLogObserver,
)
from twisted.python.logfile import LogFile
from zope.interface import provider

MAX_FILE = 5 * 1024 * 1024
"""Bytes after which a log file is put aside: small enough to open in an editor."""

KEEP_FILES = 5
"""How many log files that were put aside are kept."""


def log_observer(directory: Path, level: str) -> ILogObserver:
    """Where a server's log goes: all from ``level`` on to ``server.log`` in ``directory``, warnings to the terminal
    too.

    The directory is made where it is missing. Files rotate.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = LogFile("server.log", str(directory), rotateLength=MAX_FILE, maxRotatedFiles=KEEP_FILES, defaultMode=0o600)
    to_file = FilteringLogObserver(
        textFileLogObserver(cast(IO[Any], file)), [LogLevelFilterPredicate(LogLevel.levelWithName(level))]
    )
    to_terminal = FilteringLogObserver(cast(ILogObserver, _in_brief), [LogLevelFilterPredicate(LogLevel.warn)])
    return LogPublisher(to_file, to_terminal)


@provider(ILogObserver)
def _in_brief(event: LogEvent) -> None:
    """One line on the terminal, without a traceback: that stands in the file."""
    text = formatEvent(event).partition("\n")[0]
    failure = event.get("log_failure")
    why = f": {failure.getErrorMessage()}" if failure is not None else ""
    print(f"{text}{why}", file=sys.__stderr__)


class LogLimit:
    """Says whether one more line may be logged: ``most`` in any ``period`` seconds, however many strangers knock."""

    def __init__(self, seconds: Callable[[], float], most: int = 60, period: float = 60.0) -> None:
        self._seconds = seconds
        self._most = most
        self._period = period
        self._since = seconds()
        self._count = 0
        self._skipped = 0

    def allow(self) -> bool:
        """Whether to log now. What is not logged is counted."""
        now = self._seconds()
        if not 0 <= now - self._since < self._period:
            self._since, self._count = now, 0
        self._count += 1
        if self._count > self._most:
            self._skipped += 1
            return False
        return True

    def skipped(self) -> int:
        """How many lines were not logged since the last time that this was asked."""
        skipped, self._skipped = self._skipped, 0
        return skipped
