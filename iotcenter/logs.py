"""Where the server's log goes, and how a flood is kept out of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogFilterPredicate,
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    LogPublisher,
    PredicateResult,
    formatEvent,
    formatTime,
    textFileLogObserver,
)
from twisted.python.logfile import LogFile
from zope.interface import provider

from iotcenter import model

MAX_FILE = 5 * 1024 * 1024
"""Bytes after which a log file is put aside: small enough to open in an editor."""

KEEP_FILES = 5
"""How many log files that were put aside are kept."""

TWISTED_LEVELS = {
    model.LogLevel.DEBUG: LogLevel.debug,
    model.LogLevel.INFO: LogLevel.info,
    model.LogLevel.WARNING: LogLevel.warn,
    model.LogLevel.ERROR: LogLevel.error,
}
"""What Twisted calls our levels."""

ACTIVITY = "iotcenter.activity"
"""The namespace of what an owner would want to follow: devices that come and go, commands, sign-ins."""


def activity() -> Logger:
    """A logger whose lines stand in ``Activity.log`` too."""
    return Logger(namespace=ACTIVITY)


def log_observer(directory: Path, level: model.LogLevel) -> ILogObserver:
    """Where a server's log goes: all from ``level`` on to ``server.log`` in ``directory``, warnings to the terminal
    too.

    For owners who follow it with ``tail -F``, one line an event: what happens to ``Activity.log``, and what was refused
    or went wrong to ``error.log``. The directory is made where it is missing. Files rotate.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    warnings = LogLevelFilterPredicate(LogLevel.warn)
    everything = textFileLogObserver(_rotating(directory, "server.log"))
    activities = FileLogObserver(_rotating(directory, "Activity.log"), _dated)
    return LogPublisher(
        FilteringLogObserver(everything, [LogLevelFilterPredicate(TWISTED_LEVELS[level])]),
        FilteringLogObserver(activities, [cast(ILogFilterPredicate, _is_activity)]),
        FilteringLogObserver(FileLogObserver(_rotating(directory, "error.log"), _dated), [warnings]),
        FilteringLogObserver(cast(ILogObserver, _to_terminal), [warnings]),
    )


def _rotating(directory: Path, name: str) -> IO[Any]:
    file = LogFile(name, str(directory), rotateLength=MAX_FILE, maxRotatedFiles=KEEP_FILES, defaultMode=0o600)
    return cast(IO[Any], file)


@provider(ILogFilterPredicate)
def _is_activity(event: LogEvent) -> Any:
    return PredicateResult.maybe if event.get("log_namespace") == ACTIVITY else PredicateResult.no


def _dated(event: LogEvent) -> str:
    return f"{formatTime(event.get('log_time'))} {_in_brief(event)}\n"


def _in_brief(event: LogEvent) -> str:
    """One line, without a traceback: that stands in ``server.log``."""
    text = formatEvent(event).partition("\n")[0]
    failure = event.get("log_failure")
    why = f": {failure.getErrorMessage()}".partition("\n")[0] if failure is not None else ""
    return f"{text}{why}"


@provider(ILogObserver)
def _to_terminal(event: LogEvent) -> None:
    print(_in_brief(event), file=sys.__stderr__)


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
