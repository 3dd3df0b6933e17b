from __future__ import annotations

from typing import Any

from twisted.internet.defer import gatherResults

from iotcenter.model import Reading, Value
from iotcenter.storage import history
from iotcenter.storage.answers import BucketColumns, Question, RawColumns
from iotcenter.storage.errors import TooMuch
from iotcenter.storage.readings import Columns
from iotcenter.wire.messages import Report
from tests.storage.support import GARDEN, KITCHEN, NOW, ReadingsCase, report

MINUTE = NOW // 60 * 60


class HistoryTests(ReadingsCase):
    """Questions about what was measured."""

    async def query(self, step: float = 0, start: float = 0, end: float = NOW + 86400, **more: Any) -> Columns:
        return await self.readings.query(Question(KITCHEN, "t", start, end, step, **more))

    async def test_raw(self) -> None:
        """Readings come in the order of their times, whatever their order of arrival, as what they were."""
        await self.store(report(3, True, "open", time=NOW + 2))
        await self.store(report(1, 1.0, 2.5))
        columns = await self.query()
        self.assertEqual(columns, RawColumns([NOW, NOW + 1, NOW + 2, NOW + 3], [1.0, 2.5, True, "open"]))
        self.assertIsInstance(columns, RawColumns)

    async def test_kinds(self) -> None:
        """A truth value comes out as one, and a number as a number."""
        await self.store(report(1, True, 1.0))
        columns = await self.query()
        assert isinstance(columns, RawColumns)
        self.assertEqual([type(value) for value in columns.v], [bool, float])

    async def test_range(self) -> None:
        """The start is within, the end is not."""
        await self.store(report(1, 1.0, 2.0, 3.0))
        self.assertEqual(await self.query(start=NOW, end=NOW + 2), RawColumns([NOW, NOW + 1], [1.0, 2.0]))

    async def test_same_time(self) -> None:
        """Readings of the same time are in the order in which they were made."""
        await self.store(Report(1, 1, tuple(Reading("t", value, NOW) for value in (3.0, 1.0, 2.0))))
        self.assertEqual(await self.query(), RawColumns([NOW] * 3, [3.0, 1.0, 2.0]))

    async def test_nothing(self) -> None:
        """Where there is nothing the columns are empty."""
        self.assertEqual(await self.query(), RawColumns([], []))
        self.assertEqual(await self.query(step=60), BucketColumns([], [], [], [], [], [], 60.0))

    async def test_buckets(self) -> None:
        """Numbers in buckets: how many, the least, the greatest, the mean, and the last; empty buckets are left out."""
        await self.store(report(4, 7.0, time=MINUTE + 180))
        await self.store(report(1, 2.0, 6.0, 1.0, time=MINUTE + 58))
        self.assertEqual(
            await self.query(step=60),
            BucketColumns(
                t=[MINUTE, MINUTE + 60, MINUTE + 180],
                count=[2, 1, 1],
                min=[2.0, 1.0, 7.0],
                max=[6.0, 1.0, 7.0],
                mean=[4.0, 1.0, 7.0],
                last=[6.0, 1.0, 7.0],
                step=60.0,
            ),
        )

    async def test_cut_bucket(self) -> None:
        """A bucket that lies partly outside holds what lies within."""
        await self.store(report(1, 1.0, 2.0, 3.0, 4.0, time=MINUTE))
        columns = await self.query(step=60, start=MINUTE + 1, end=MINUTE + 3)
        self.assertEqual(columns, BucketColumns([MINUTE], [2], [2.0], [3.0], [2.5], [3.0], 60.0))

    async def test_truth_in_buckets(self) -> None:
        """Truth values count as 0 and 1, and the last is one."""
        await self.store(report(1, True, True, False, True, time=MINUTE))
        self.assertEqual(await self.query(step=60), BucketColumns([MINUTE], [4], [0.0], [1.0], [0.75], [True], 60.0))

    async def test_texts_in_buckets(self) -> None:
        """Texts have a last one, and nothing that is reckoned."""
        await self.store(report(1, "open", "shut", time=MINUTE))
        self.assertEqual(
            await self.query(step=60), BucketColumns([MINUTE], [2], [None], [None], [None], ["shut"], 60.0)
        )

    async def test_mixed_bucket(self) -> None:
        """Where a text is among numbers, those are reckoned without it."""
        await self.store(report(1, 1.0, "broken", 3.0, time=MINUTE))
        self.assertEqual(await self.query(step=60), BucketColumns([MINUTE], [3], [1.0], [3.0], [2.0], [3.0], 60.0))

    async def test_too_much(self) -> None:
        """An answer that would be too long is refused, with a step that makes it fit."""
        await gatherResults(
            [self.store(report(1 + 500 * part, *[1.0] * 500, time=NOW + 500 * part)) for part in range(4)]
        )
        self.assertEqual(len((await self.query(limit=2000)).t), 2000)
        with self.assertRaises(TooMuch) as caught:
            await self.query(limit=1999)
        self.assertIn("more than 1999 rows", str(caught.exception))
        self.assertEqual(caught.exception.step, 60)
        with self.assertRaises(TooMuch) as caught:
            await self.query(step=1, limit=9)
        self.assertEqual(caught.exception.step, 300)
        self.assertLessEqual(len((await self.query(step=caught.exception.step)).t), 9)

    async def test_bounds(self) -> None:
        """No limit raises storage's own."""
        self.patch(history, "MOST_READINGS", 2)
        await self.store(report(1, 1.0, 2.0, 3.0))
        for limit in (None, 100):
            with self.assertRaises(TooMuch):
                await self.query(limit=limit)

    async def test_pages(self) -> None:
        """An answer of any length comes in pieces, each beginning where the one before ended."""
        self.patch(history, "READINGS_OF_A_PAGE", 3)
        await self.store(Report(1, 1, tuple(Reading("t", float(number), NOW) for number in range(8))))
        pages: list[list[Value]] = []
        after = None
        while not pages or after:
            page = await self.readings.page(KITCHEN, "t", NOW, NOW + 1, after)
            pages.append([value for _, value in page.readings])
            after = page.after
        self.assertEqual(pages, [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0]])
        self.assertEqual((await self.readings.page(KITCHEN, "t", NOW + 1, NOW + 2)).readings, [])

    async def test_latest(self) -> None:
        """The newest value of each series is the one measured last, not the one that came last."""
        await self.store(report(1, 1.0, 2.0))
        await self.store(report(3, 9.0, time=NOW - 3600))
        await self.store(report(4, True, name="door"))
        await self.store(report(1, "ok"), GARDEN)
        self.assertEqual(
            await self.readings.latest(),
            {KITCHEN: {"t": (2.0, NOW + 1), "door": (True, NOW)}, GARDEN: {"t": ("ok", NOW)}},
        )
