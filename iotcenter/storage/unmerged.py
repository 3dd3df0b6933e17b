"""What was acknowledged and is not in the tables yet: for charts, and for the newest values at the start."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from iotcenter.model import DeviceId, Reading, Value
from iotcenter.storage.blocks import Damaged
from iotcenter.storage.entries import Entry, entries, numbered, position, size, within
from iotcenter.storage.fitting import Unfit, fit
from iotcenter.storage.journal import View
from iotcenter.storage.progress import Progress, unpacked
from iotcenter.storage.sql import find, milliseconds
from iotcenter.wire.codec import DamagedReport
from iotcenter.wire.errors import WireError
from iotcenter.wire.messages import Report

LOOK_BACK = 16 * 1024 * 1024
"""Bytes of the backlog that are searched for newest values at the start: a second's work."""

MOST_LOOKED_AT = 100_000
"""Readings of a device that are looked at for one chart: a fraction of a second's work. A chart of a device of which
more waits is short of the rest."""

PROGRESS = "SELECT high, gaps FROM progress WHERE device = ? AND boot = ?"

Waiting = tuple[int, Value]
"""Time in Unix milliseconds, and value."""


def waiting(connection: sqlite3.Connection, view: View, device: DeviceId, series: str) -> list[Waiting]:
    """What merging will add to a series, in the order of time, and of arrival where that is the same. ``view`` is older
    than the transaction."""
    found: list[Waiting] = []
    come: dict[int, Progress] = {}
    looked_at = 0
    for _, report, received in _entries(view, position(connection), device):
        looked_at += size(report)
        if looked_at > MOST_LOOKED_AT:
            break
        boot = report.boot
        before = come.get(boot) or find(connection, unpacked, PROGRESS, device, boot) or Progress()
        come[boot], fresh = before.add(report.sequence, report.sequence + size(report) - 1)
        for _, reading in within(fresh, _fitting(report, received)):
            if reading.name == series:
                found.append((milliseconds(reading.time), reading.value))
    return sorted(found, key=lambda one: one[0])


def newest(connection: sqlite3.Connection, view: View) -> Iterator[tuple[DeviceId, Reading]]:
    """The readings of all devices that wait to be merged, or the last of them, where they are many."""
    merged = position(connection)
    for device, report, received in _entries(view, max(merged, view.end - LOOK_BACK)):
        for _, reading in _fitting(report, received):
            yield device, reading


def _entries(view: View, after: int, device: DeviceId | None = None) -> Iterator[Entry]:
    for record in view.after(after, device):
        if isinstance(record, Damaged):
            continue  # merging says so
        try:
            yield from entries(record)
        except WireError:
            continue


def _fitting(report: Report | DamagedReport, received: float) -> Iterator[tuple[int, Reading]]:
    for sequence, reading in numbered(report):
        try:
            yield sequence, fit(reading, received)
        except Unfit:
            continue
