from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

from iotcenter.model import Reading
from iotcenter.storage import history, unmerged
from iotcenter.storage.answers import BucketColumns, Columns, Question
from iotcenter.wire.messages import Report
from tests.storage.support import GARDEN, KITCHEN, NOW, ReadingsCase, report


class UnmergedTests(ReadingsCase):
    """What is acknowledged is known before it is merged."""

    async def test_charts(self) -> None:
        """A chart has what waits to be merged, as it will be when that is done: what was there before, what comes twice
        or late, from several boots, texts and truth values."""
        self.patch(history, "MOST_READINGS", 50)
        first = NOW - 5000
        await self.store(report(1, *map(float, range(20)), time=first))
        await self.store(report(1, 7.5, "ajar", boot=2, time=NOW - 100))
        for sent in (
            report(15, *(0.1 * number for number in range(10)), time=first + 14),
            report(3, True, "open", False, boot=2, time=NOW - 90),
            report(3, True, "open", boot=2, time=NOW - 90),
            report(1, 3.25, -4.5, boot=3, time=NOW - 7200),
            report(25, 1e9, time=NOW - 50),
            report(1, 99.0, name="another"),
        ):
            await self.acknowledge(sent)
        await self.acknowledge(report(1, 1.0), device=GARDEN)
        waiting = await self.answers()
        self.readings.start()
        await self.readings.settled()
        self.assertEqual(waiting, await self.answers())

    async def test_late(self) -> None:
        """What was measured before what is merged is not the last of its bucket, though it came later; where a chart
        ends within the bucket, what is merged behind its end does not count."""
        await self.store(report(1, *map(float, range(300))))
        for sequence, value, time, last in ((301, -1.0, 190.5, 239.0), (302, -2.0, 239.5, -2.0)):
            await self.acknowledge(report(sequence, value, time=NOW + time))
            columns = await self.readings.query(Question(KITCHEN, "t", NOW, NOW + 240, 3600.0))
            assert isinstance(columns, BucketColumns)
            self.assertEqual((columns.count, columns.last), ([sequence - 60], [last]))

    async def test_new_series(self) -> None:
        """A series of which nothing is merged yet has its chart."""
        await self.acknowledge(report(1, 1.0, 2.0))
        columns = await self.readings.query(Question(KITCHEN, "t", 0, NOW + 60))
        assert isinstance(columns, BucketColumns)
        self.assertEqual((columns.count, columns.mean, columns.last), ([2], [1.5], [2.0]))

    async def test_too_many(self) -> None:
        """Of more than can be looked at, a chart has the first."""
        self.patch(unmerged, "MOST_LOOKED_AT", 3)
        for sequence in (1, 3, 5):
            await self.acknowledge(report(sequence, 1.0, 2.0, time=NOW + sequence))
        columns = await self.readings.query(Question(KITCHEN, "t", 0, NOW + 60, 0))
        self.assertEqual(len(columns.t), 2)

    async def answers(self) -> list[Columns]:
        """Charts of all kinds."""
        questions = [
            Question(KITCHEN, "t", start, NOW + 60, step, zone)
            for start in (0, NOW - 5000 + 8)
            for step in (None, 0.0, 7.0, 60.0, 3600.0, 86400.0)
            for zone in (UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu"))
        ]
        return [await self.readings.query(question) for question in questions]

    async def test_latest(self) -> None:
        """The newest value of each series is known at the start, merged or not."""
        await self.store(report(1, 1.0, 2.0))
        await self.acknowledge(report(3, 9.0, time=NOW - 3600), Report(1, 4, (Reading("door", "open", NOW),)))
        await self.acknowledge(report(5, 3.0, time=NOW + 1))
        await self.acknowledge(report(1, "ok"), device=GARDEN)
        self.assertEqual(
            await self.readings.latest(),
            {KITCHEN: {"t": (3.0, NOW + 1), "door": ("open", NOW)}, GARDEN: {"t": ("ok", NOW)}},
        )
