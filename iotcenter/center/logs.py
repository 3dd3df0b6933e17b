"""What devices log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger
from twisted.python.failure import Failure

from iotcenter.center.devices import Devices
from iotcenter.center.subscribers import LogEvent, StoredLine, Subscribers
from iotcenter.model import LogLevel
from iotcenter.storage.logs import StoredLine as Row
from iotcenter.storage.store import Store
from iotcenter.wire.messages import Log

if TYPE_CHECKING:
    from iotcenter.center.links import DeviceLink
    from iotcenter.center.subscribers import Clock

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

    def received(self, attachment: DeviceLink, message: Log) -> None:
        """A device sent lines."""
        storing = self._store.logs.append(attachment.known.id, message.lines, self._clock.seconds())
        storing.addCallbacks(lambda lines: self._stored(attachment.known.name, lines), self._failed)

    async def recent(
        self, name: str, limit: int = 100, before: int | None = None, level: LogLevel = LogLevel.DEBUG
    ) -> tuple[StoredLine, ...]:
        """The newest lines of a device, newest first, from the one before ``before`` on. Raises ``UnknownDevice``."""
        known = self._devices.named(name)
        rows = await self._store.logs.recent(known.id, min(limit, MAX_LINES), before=before, level=level)
        return tuple(map(_line, rows))

    def _stored(self, name: str, rows: tuple[Row, ...]) -> None:
        for row in rows:
            self._subscribers.publish(LogEvent(name, _line(row)))

    def _failed(self, failure: Failure) -> None:
        self.log.warn("Lines of a device's log could not be kept: {why}", why=failure.getErrorMessage())


def _line(row: Row) -> StoredLine:
    return StoredLine(row.id, row.time, row.level, row.text)
