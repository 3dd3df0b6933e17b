"""What was acknowledged and is not in the tables yet, for the newest values at the start."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from iotcenter.model import DeviceId, Reading
from iotcenter.storage.blocks import Damaged
from iotcenter.storage.entries import Entry, entries, numbered, position
from iotcenter.storage.fitting import Unfit, fit
from iotcenter.storage.journal import View
from iotcenter.wire.codec import DamagedReport
from iotcenter.wire.errors import WireError
from iotcenter.wire.messages import Report

LOOK_BACK = 16 * 1024 * 1024
"""Bytes of the backlog that are searched for newest values at the start: a second's work."""


def newest(connection: sqlite3.Connection, view: View) -> Iterator[tuple[DeviceId, Reading]]:
    """The readings of all devices that wait to be merged, or the last of them, where they are many."""
    merged = position(connection)
    for device, report, received in _entries(view, max(merged, view.end - LOOK_BACK)):
        for _, reading in _fitting(report, received):
            yield device, reading


def _entries(view: View, after: int) -> Iterator[Entry]:
    for record in view.after(after):
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
