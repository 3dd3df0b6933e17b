"""The way of reports into the tables. Everything here is used on the writer's thread alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

from iotcenter.model import DeviceId
from iotcenter.storage.batch import Batch, Known, Outcome
from iotcenter.storage.entries import Entry
from iotcenter.storage.sql import select

PRESENT = "SELECT json_group_array(id) FROM device WHERE id IN (SELECT value FROM json_each(?))"
SERIES = "SELECT name, id, raw_from * 86400.0 FROM series WHERE device = ?"


class Intake:
    """Takes reports in. What it has at hand is what the database says; after a failure it is read again."""

    def __init__(self) -> None:
        self._known: dict[DeviceId, Known] = {}

    def forget(self) -> None:
        """Trust the database alone."""
        self._known.clear()

    def store(self, connection: sqlite3.Connection, entries: Sequence[Entry]) -> list[Outcome]:
        """Write ``entries``, and say what became of each, in their order."""
        present = self._present(connection, {entry.device for entry in entries})
        batch = Batch(connection)
        outcomes = [batch.take(present.get(device), report, received) for device, report, received in entries]
        batch.write()
        for known in present.values():
            known.trim()
        return outcomes

    def _present(self, connection: sqlite3.Connection, devices: Iterable[DeviceId]) -> dict[DeviceId, Known]:
        """Those of ``devices`` that there are: one may have been removed since it reported."""
        [(found,)] = select(connection, PRESENT, json.dumps(list(devices)))
        present = {}
        for device in json.loads(found):
            known = self._known.get(device) or Known(device, select(connection, SERIES, device))
            self._known[device] = present[device] = known
        return present
