"""What was acknowledged and is not in the tables yet: charts and newest values show it all the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from iotcenter.model import DeviceId, Reading, Value
from iotcenter.storage.blocks import Damaged
from iotcenter.storage.entries import Entry, entries, numbered, position, size
from iotcenter.storage.fitting import Unfit, fit
from iotcenter.storage.journal import View
from iotcenter.storage.progress import Progress, unpacked
from iotcenter.storage.sql import find, milliseconds
from iotcenter.wire.codec import DamagedReport
from iotcenter.wire.errors import WireError
from iotcenter.wire.messages import Report

PROGRESS = "SELECT high, gaps FROM progress WHERE device = ? AND boot = ?"

MOST_LOOKED_AT = 200_000
"""Readings of a device that are looked at for one question: a second's work. Behind a longer backlog a chart lags."""

LOOK_BACK = 16 * 1024 * 1024
"""Bytes of the backlog that are searched for newest values at the start: a second's work."""


class Row(NamedTuple):
    """A reading as merging will store it: ``time`` in Unix milliseconds, ``boot`` as the device has it."""

    series: str
    time: int
    boot: int
    sequence: int
    value: Value


def unmerged(connection: sqlite3.Connection, view: View, device: DeviceId) -> list[Row]:
    """The readings of a device that merging has still to add, in the order in which they came.

    ``view`` must have been taken before the connection's transaction looked at anything. What came before, or does not
    fit, is left out, as merging will leave it out.
    """
    merged = position(connection)
    seen: dict[int, Progress] = {}
    rows: list[Row] = []
    looked = 0
    for _, report, received in _entries(view, merged, device):
        progress = seen.get(report.boot) or find(connection, unpacked, PROGRESS, device, report.boot) or Progress()
        seen[report.boot], fresh = progress.add(report.sequence, report.sequence + size(report) - 1)
        rows += [
            Row(reading.name, milliseconds(reading.time), report.boot, sequence, reading.value)
            for sequence, reading in _fitting(report, received)
            if any(first <= sequence <= last for first, last in fresh)
        ]
        looked += size(report)
        if looked >= MOST_LOOKED_AT:
            break
    return rows


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
