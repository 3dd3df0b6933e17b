"""Reports as they come out of the inbox, and how their readings are numbered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeVar

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
    follows: tuple[object, ...] = ()
    for entry in entries:
        device, report, received = entry
        if not isinstance(report, Report):
            runs.append([entry])
            follows = ()
        else:
            if (device, received, report.boot, report.sequence) == follows:
                runs[-1].append(entry)
            else:
                runs.append([entry])
            follows = device, received, report.boot, report.sequence + len(report.readings)
    return [run[0] if len(run) == 1 else _one(run) for run in runs]


def _one(run: Sequence[Entry]) -> Entry:
    """One entry of the reports in ``run``, which are whole and follow on one another."""
    reports: list[Any] = [entry.report for entry in run]
    readings = tuple(chain.from_iterable([report.readings for report in reports]))
    last = reports[-1]
    return run[0]._replace(report=Report(last.boot, reports[0].sequence, readings, last.time))


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
