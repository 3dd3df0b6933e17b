from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any

from twisted.internet.defer import gatherResults
from twisted.internet.task import Clock

from iotcenter.model import DeviceId, Reading
from iotcenter.storage import merge, merging, readings
from iotcenter.storage.answers import Question, RawColumns
from iotcenter.storage.aside import SetAside
from iotcenter.storage.batch import Outcome
from iotcenter.storage.blocks import Damaged, record_at
from iotcenter.storage.entries import Entry, entries
from iotcenter.storage.errors import Closed, StorageError
from iotcenter.storage.intake import Intake
from iotcenter.storage.merge import Merged
from iotcenter.storage.merging import Merger
from iotcenter.storage.readings import Readings
from iotcenter.storage.segment import Segment
from iotcenter.wire.messages import Report
from tests.storage.support import GARDEN, KITCHEN, NOW, FillingDisk, ReadingsCase, report

STORED = "SELECT boot, sequence, value FROM reading ORDER BY boot, sequence"
POISON = "poison"


class MergingTests(ReadingsCase):
    """What was acknowledged gets into the tables."""

    async def test_whole_way(self) -> None:
        """All that is acknowledged gets there, in order, and its accounts are told."""
        told: list[Mapping[DeviceId, Merged]] = []
        self.readings.merged = told.append
        await self.acknowledge(report(1, 1.0, 2.0), report(2, 2.0, 3.0))
        await self.acknowledge(report(1, 9.0, time=NOW - 3600), device=GARDEN)
        self.assertEqual(self.rows(STORED), [])
        self.merger.start()
        await self.readings.settled()
        self.assertEqual(sorted(value for _, _, value in self.rows(STORED)), [1.0, 2.0, 3.0, 9.0])
        self.assertEqual(told, [{KITCHEN: Merged(3, 1, 0, 0), GARDEN: Merged(1, 0, 1, 0)}])

    async def test_charts_do_not_wait_for_ever(self) -> None:
        """Where merging takes too long, a chart has what waits for it all the same, and once."""
        self.patch(readings, "CHART_WITHIN", 0.01)
        self.merger.start()
        released = Event()
        writing = self.database.write(lambda _: released.wait(10))
        await self.acknowledge(report(1, 1.0))
        question = Question(KITCHEN, "t", NOW - 60, NOW + 60, 0.0)
        shown = [await self.readings.query(question)]
        released.set()
        await writing
        await self.readings.settled()
        shown.append(await self.readings.query(question))
        self.assertEqual([columns.v for columns in shown if isinstance(columns, RawColumns)], [[1.0], [1.0]])

    async def test_goes_on_after_restart(self) -> None:
        """A server that was stopped before it merged goes on at the next start; nothing is merged twice."""
        self.merger.start()
        await self.acknowledge(report(1, 1.0))
        await self.readings.settled()
        await self.acknowledge(report(2, 2.0))
        await self.reopen()
        await self.acknowledge(report(3, 3.0))
        self.merger.start()
        await self.readings.settled()
        self.assertEqual(self.rows(STORED), [(1, 1, 1.0), (1, 2, 2.0), (1, 3, 3.0)])
        self.assertEqual((await self.readings.accounts())[KITCHEN].received, 3)

    async def test_position_is_kept_with_the_readings(self) -> None:
        """Where one does not get to the disk, the other does not: both are done again."""
        self.patch(merging, "RETRY", 0.01)
        set_position = merge.SET_POSITION
        self.patch(merge, "SET_POSITION", "NONSENSE ?")
        await self.acknowledge(report(1, 1.0))
        self.merger.start()
        await self.database.write(lambda _: None)
        self.assertEqual(self.rows(STORED), [])
        self.patch(merge, "SET_POSITION", set_position)
        await self.settled_at_last()
        self.assertEqual(self.rows(STORED), [(1, 1, 1.0)])

    async def test_small_steps(self) -> None:
        """A long backlog is merged in transactions that hold nobody up for long."""
        self.patch(merge, "MOST_AT_ONCE", 10)
        told: list[int] = []
        self.readings.merged = lambda merged: told.append(merged[KITCHEN].received)
        for first in range(1, 100, 5):
            await self.acknowledge(report(first, *[float(number) for number in range(first, first + 5)]))
        self.merger.start()
        await self.readings.settled()
        self.assertEqual(told, [10] * 10)
        self.assertEqual([value for _, _, value in self.rows(STORED)], [float(number) for number in range(1, 101)])

    async def test_unknown_device(self) -> None:
        """Reports of a device that was removed meanwhile go with it; others are merged."""
        await self.acknowledge(report(1, 1.0), device=GARDEN)
        await self.acknowledge(report(1, 2.0))
        await self.devices.remove(GARDEN)
        self.merger.start()
        await self.readings.settled()
        self.assertEqual(self.rows(STORED), [(1, 1, 2.0)])

    async def test_disk_full(self) -> None:
        """While the database finds no room what came waits, and is merged once there is some."""
        disk = FillingDisk(self, pages=60)
        await self.reopen()
        self.patch(merging, "RETRY", 0.01)
        await self.acknowledge(report(1, *["x" * 200] * 1000))
        self.merger.start()
        await self.database.write(lambda connection: None).addErrback(lambda _: None)
        self.assertEqual(self.rows(STORED), [])
        disk.pages = 1000
        await self.settled_at_last()
        self.assertEqual(len(self.rows(STORED)), 1000)

    async def settled_at_last(self) -> None:
        """Done when all is merged, whatever failed before."""
        while True:
            try:
                return await self.readings.settled()
            except StorageError:
                continue

    async def test_stopped(self) -> None:
        """At the end what waits is merged; who waits for more than comes is told."""
        self.merger.start()
        await self.acknowledge(report(1, 1.0))
        await self.merger.stop()
        self.assertEqual(self.rows(STORED), [(1, 1, 1.0)])
        await self.acknowledge(report(2, 1.0))
        await self.assertFailure(self.readings.settled(), Closed)


class Leisure:
    """A pace of which a test knows how leisurely it is."""

    piece = 0.2

    def pause(self, now: float, took: float, merged: int, position: int, end: int) -> float:
        """Seven seconds."""
        return 7.0


class PacedTests(ReadingsCase):
    """Merging leaves time to those who report, and hurries for those who wait for it."""

    async def prepare(self) -> None:
        await super().prepare()
        self.patch(merging, "Pace", Leisure)
        self.patch(merge, "MOST_AT_ONCE", 10)
        self.clock = Clock()
        aside = SetAside(self.path.parent / "set-aside")
        self.merger = Merger(self.database, self.inbox, Intake(), aside, self.clock)
        self.readings = Readings(self.database, self.inbox, self.merger)
        self.told: list[int] = []
        self.readings.merged = lambda merged: self.told.append(merged[KITCHEN].received)
        for number in range(1, 21):
            await self.acknowledge(report(number, float(number)))
        self.merger.start()

    async def pass_by(self, seconds: float) -> None:
        """Time goes by, and what merging begins in it is done."""
        self.clock.advance(seconds)
        await self.database.write(lambda _: None)

    async def test_share_and_pause(self) -> None:
        """While there is a backlog, so much is merged at once, and then not for so long, as the pace says."""
        await self.pass_by(0)
        await self.pass_by(6.9)
        self.assertEqual(self.told, [2])
        await self.pass_by(0.1)
        self.assertEqual(self.told, [2, 2])
        await self.pass_by(0)
        self.assertEqual(self.told, [2, 2])

    async def test_hurry(self) -> None:
        """Who waits for all of it to be merged waits for no pause, nor for small steps."""
        await self.pass_by(0)
        settled = self.readings.settled()
        await self.pass_by(0)
        await self.pass_by(0)
        self.successResultOf(settled)
        self.assertEqual(self.told, [2, 10, 8])


class SettingAsideTests(ReadingsCase):
    """What cannot be merged does not hold up the rest."""

    async def prepare(self) -> None:
        await super().prepare()
        store = Intake.store

        def fails(self: Intake, connection: sqlite3.Connection, taken: Sequence[Entry]) -> list[Outcome]:
            outcomes = store(self, connection, taken)
            if any(reading.name == POISON for entry in taken for reading in _readings(entry.report)):
                raise ZeroDivisionError("a mistake of ours")
            return outcomes

        self.patch(Intake, "store", fails)

    async def test_poison(self) -> None:
        """A report on which merging fails is set aside, whole; the others around it are merged, once."""
        reports = [report(1, 1.0), report(2, 2.0, name=POISON), report(3, 3.0)]
        await self.acknowledge(*reports)
        self.merger.start()
        await self.readings.settled()
        self.assertEqual(self.rows(STORED), [(1, 1, 1.0), (1, 3, 3.0)])
        [file] = (self.path.parent / "set-aside").iterdir()
        record = record_at(file.read_bytes(), 0, 0)
        assert record is not None
        self.assertEqual(list(entries(record)), [Entry(KITCHEN, reports[1], NOW)])

    async def test_not_understood(self) -> None:
        """So is one that this version does not understand."""
        done = self.acknowledge(report(1, 1.0))
        self.readings.append(KITCHEN, NOW, [b"\xc1"], lambda _: None)
        await gatherResults([done, self.acknowledge(report(2, 2.0))])
        self.merger.start()
        await self.readings.settled()
        self.assertEqual(self.rows(STORED), [(1, 1, 1.0), (1, 2, 2.0)])
        self.assertEqual(len(list((self.path.parent / "set-aside").iterdir())), 1)

    async def test_damaged(self) -> None:
        """What the disk does not give back is left out, and the rest is merged."""
        await self.acknowledge(report(1, 1.0))
        await self.acknowledge(report(2, 2.0))
        read = Segment.records

        def damaged(segment: Segment, *arguments: Any) -> list[object]:
            return [Damaged(), *list(read(segment, *arguments))[1:]]

        self.patch(Segment, "records", damaged)
        self.merger.start()
        await self.readings.settled()
        self.assertEqual(self.rows(STORED), [(1, 2, 2.0)])


def _readings(report: object) -> Sequence[Reading]:
    return report.readings if isinstance(report, Report) else ()
