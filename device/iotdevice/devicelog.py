"""The device's log: here, and on the server when there is a link."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from twisted.logger import Logger
from twisted.logger import LogLevel as Grade

from iotcenter.model import MAX_LINE, LogLevel, LogLine
from iotcenter.wire.messages import MAX_LINES, Log
from iotdevice.channel import Channel
from iotdevice.clock import Clock
from iotdevice.errors import printable
from iotdevice.timers import Timers

KEPT = 500
"""How many lines wait for a link: the newest, some 50 kB."""

MAX_SIZE = 32_000
"""How many characters of lines make a message full: in the widest of letters, and with a last line of the longest, some
150 kB, where a server takes 256 KiB."""

PAUSE = 1.0
"""Seconds between two messages, so that an application that logs without a pause does not take the link for itself."""

_GRADES = {
    LogLevel.DEBUG: Grade.debug,
    LogLevel.INFO: Grade.info,
    LogLevel.WARNING: Grade.warn,
    LogLevel.ERROR: Grade.error,
}


class _Line(NamedTuple):
    at: float
    level: LogLevel
    text: str


class DeviceLog:
    """Lines of the application, and of the agent where they concern the device's owner. Those of the last minutes
    outlive a link."""

    def __init__(self, clock: Clock) -> None:
        self._here = Logger("iotdevice")
        self._clock = clock
        self._lines: deque[_Line] = deque(maxlen=KEPT)
        self._dropped = 0
        self._channel: Channel | None = None
        self._timers = Timers(clock.steady)

    def say(self, text: str, level: LogLevel = LogLevel.INFO) -> None:
        """Log a line, here and to the server."""
        text = printable(text, MAX_LINE)
        self._here.emit(_GRADES[level], "{text}", text=text)
        self._dropped += len(self._lines) == KEPT
        self._lines.append(_Line(self._clock.now(), level, text))
        self._send()

    def connected(self, channel: Channel) -> None:
        """See ``Speaker``."""
        self._channel = channel
        self._send()

    def writable(self) -> None:
        """See ``Speaker``."""
        self._send()

    def disconnected(self) -> None:
        """See ``Speaker``."""
        self._channel = None
        self._timers.clear()

    def _send(self) -> None:
        if self._channel is None or not self._lines or self._timers.pending(self._send) or not self._channel.writable:
            return
        lines = [LogLine(self._clock.stamp(at), level, text) for at, level, text in self._take()]
        if self._dropped:
            lines[0] = LogLine(
                lines[0].time,
                LogLevel.WARNING,
                f"({self._dropped} older lines were dropped) {lines[0].text}"[:MAX_LINE],
            )
            self._dropped = 0
        self._channel.send(Log(tuple(lines)))
        self._timers.after(PAUSE, self._send)

    def _take(self) -> list[_Line]:
        """The lines of the next message, oldest first."""
        taken: list[_Line] = []
        size = 0
        while self._lines and len(taken) < MAX_LINES and size < MAX_SIZE:
            taken.append(self._lines.popleft())
            size += len(taken[-1].text)
        return taken
