"""What devices log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from twisted.logger import Logger
from twisted.python.failure import Failure

from iotcenter.center.devices import Devices
from iotcenter.center.known import KnownDevice
from iotcenter.center.subscribers import LogEvent, StoredLine, Subscribers
from iotcenter.logs import LogLimit
from iotcenter.model import DeviceId, LogLevel, LogLine
from iotcenter.storage.logs import Found, Place
from iotcenter.storage.logs import StoredLine as Row
from iotcenter.storage.store import Store
from iotcenter.wire.messages import Log

if TYPE_CHECKING:
    from iotcenter.center.links import DeviceLink
    from iotcenter.interfaces import Clock

T = TypeVar("T")

MAX_WAITING = 8
"""The most messages of one device that wait for the disk: 3 MB, and the others' turn comes soon."""

MAX_LINES = 1000
"""The most lines that one question gets: a page's worth many times over, and some 100 kB."""


class Logs:
    """Keeps the lines that devices log, and shows them to whoever watches."""

    log = Logger()

    def __init__(self, store: Store, devices: Devices, subscribers: Subscribers, clock: Clock) -> None:
        self._store = store
        self._devices = devices
        self._subscribers = subscribers
        self._clock = clock
        self._waiting: Counter[DeviceId] = Counter()
        self._limit = LogLimit(clock.seconds)

    def received(self, attachment: DeviceLink, message: Log) -> None:
        """A device sent lines. Those of one that sends faster than the disk writes are dropped."""
        self.keep(attachment.known, message.lines)

    def keep(self, known: KnownDevice, lines: Sequence[LogLine]) -> None:
        """Add lines to a device's log."""
        if self._waiting[known.id] >= MAX_WAITING:
            self._complain(f"{known.name} logs faster than can be kept; some of its lines are dropped")
            return
        self._waiting[known.id] += 1
        storing = self._store.logs.append(known.id, lines, self._clock.seconds())
        storing.addBoth(self._ended, known.id)
        storing.addCallbacks(lambda lines: self._stored(known.name, lines), self._failed)

    async def recent(
        self, name: str, limit: int = 100, before: int | None = None, level: LogLevel = LogLevel.DEBUG
    ) -> tuple[StoredLine, ...]:
        """The newest lines of a device, newest first, from the one before ``before`` on. Raises ``UnknownDevice``."""
        known = self._devices.named(name)
        rows = await self._store.logs.recent(known.id, min(limit, MAX_LINES), before=before, level=level)
        return tuple(map(_line, rows))

    async def of_all(
        self,
        limit: int = 100,
        before: Place | None = None,
        level: LogLevel = LogLevel.DEBUG,
        text: str = "",
        device: str | None = None,
    ) -> Found:
        """The newest lines of all devices, or of one, with ``text`` in them. Raises ``UnknownDevice``."""
        id = None if device is None else self._devices.named(device).id
        return await self._store.logs.of_all(min(limit, MAX_LINES), before, level, text, id)

    def _stored(self, name: str, rows: tuple[Row, ...]) -> None:
        for row in rows:
            self._subscribers.publish(LogEvent(name, _line(row)))

    def _ended(self, result: T, device: DeviceId) -> T:
        self._waiting[device] -= 1
        if not self._waiting[device]:
            del self._waiting[device]
        return result

    def _failed(self, failure: Failure) -> None:
        self._complain(f"Lines of a device's log could not be kept: {failure.getErrorMessage()}")

    def _complain(self, what: str) -> None:
        if self._limit.allow():
            self.log.warn("{what}", what=what)


def _line(row: Row) -> StoredLine:
    return StoredLine(row.id, row.time, row.level, row.text)
