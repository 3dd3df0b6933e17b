"""Who did what, when: written down as it happens, and told to whoever looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.logger import Logger
from twisted.python.failure import Failure

from iotcenter.logs import LogLimit, activity
from iotcenter.model import Event, EventKind
from iotcenter.storage.events import EventFilter, EventRow
from iotcenter.storage.store import Store

MAX_TEXT = 500
"""The longest text of an event: a sentence."""

ALL = EventFilter()

_activity = activity()


class Events:
    """Notes events. One that cannot be stored is in the activity log all the same."""

    log = Logger()

    def __init__(self, store: Store, seconds: Callable[[], float]) -> None:
        self._store = store.events
        self._seconds = seconds
        self._limit = LogLimit(seconds)

    def note(self, kind: EventKind, actor: str, object: str, text: str, **data: Any) -> None:
        """``actor`` did something to ``object``: ``text`` says it to people, ``data`` to programs."""
        packed = msgspec.json.encode(data).decode()
        row = EventRow(0, self._seconds(), kind.value, actor, object, text[:MAX_TEXT], packed)
        if self._limit.allow():
            _activity.info("{text}", text=row.text)
        self._store.add(row).addErrback(self._failed)

    async def recent(self, limit: int = 100, wanted: EventFilter = ALL) -> tuple[Event, ...]:
        """The newest events that fit, newest first."""
        return tuple(_event(row) for row in await self._store.recent(limit, wanted))

    def _failed(self, failure: Failure) -> None:
        if self._limit.allow():
            self.log.warn("An event could not be kept: {why}", why=failure.getErrorMessage())


def _event(row: EventRow) -> Event:
    data = msgspec.json.decode(row.data_json, type=dict[str, Any])
    return Event(row.id, row.time, row.kind, row.actor, row.object, row.text, data)
