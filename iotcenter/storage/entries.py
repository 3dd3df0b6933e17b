"""Reports as they come out of the inbox, and how their readings are numbered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from iotcenter.model import DeviceId, Reading
from iotcenter.storage.blocks import Record, unpack_frames
from iotcenter.storage.progress import Range
from iotcenter.storage.sql import select
from iotcenter.wire.codec import DamagedReport, decode
from iotcenter.wire.messages import Report

T = TypeVar("T")

POSITION = "SELECT coalesce(max(position), 0) FROM inbox"


class Entry(NamedTuple):
    """A report, and when it came."""

    device: DeviceId
    report: Report | DamagedReport
    received: float


def position(connection: sqlite3.Connection) -> int:
    """Up to which position the inbox is in the tables, as the transaction sees it that asks."""
    [(found,)] = select(connection, POSITION)
    return int(found)


def entries(record: Record) -> Iterator[Entry]:
    """The reports of a record. Raises ``WireError`` where this version does not understand what another took in."""
    for body in unpack_frames(record.frames):
        yield Entry(record.device, decode(body), record.received)


def joined(entries: Iterable[Entry]) -> list[Entry]:
    """The same readings in fewer entries: reports that came together and follow on one another become one."""
    runs: list[list[Entry]] = []
    for entry in entries:
        if runs and _follows(runs[-1][-1], entry):
            runs[-1].append(entry)
        else:
            runs.append([entry])
    return [run[0] if len(run) == 1 else _one(run) for run in runs]


def _follows(first: Entry, second: Entry) -> bool:
    (device, before, received), report = first, second.report
    if not isinstance(before, Report) or not isinstance(report, Report):
        return False
    together = second.device == device and second.received == received
    return together and report.boot == before.boot and report.sequence == before.sequence + len(before.readings)


def _one(run: Sequence[Entry]) -> Entry:
    device, last, received = run[-1]
    readings = tuple(reading for entry in run for _, reading in numbered(entry.report))
    return Entry(device, Report(last.boot, run[0].report.sequence, readings, last.time), received)


def size(report: Report | DamagedReport) -> int:
    """How many readings a report has, good and bad."""
    return len(report.readings) if isinstance(report, Report) else report.count


def numbered(report: Report | DamagedReport) -> Iterable[tuple[int, Reading]]:
    """The readings that decoded, each with its sequence number."""
    if isinstance(report, Report):
        return enumerate(report.readings, report.sequence)
    return [(report.sequence + offset, reading) for offset, reading in report.good]


def damaged(report: Report | DamagedReport) -> Iterable[tuple[int, str]]:
    """The numbers of those that did not decode, each with what is wrong."""
    if isinstance(report, Report):
        return ()
    return [(report.sequence + bad.offset, bad.reason) for bad in report.bad]


def within(ranges: Iterable[Range], numbers: Iterable[tuple[int, T]]) -> list[tuple[int, T]]:
    """What of ``numbers`` lies in one of ``ranges``."""
    return [(number, what) for number, what in numbers if any(first <= number <= last for first, last in ranges)]
