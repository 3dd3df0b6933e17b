"""When readings came."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from iotcenter.storage import arrivals
from iotcenter.storage.arrivals import LONGEST, Arrivals, Run
from tests.storage.support import GARDEN, KITCHEN, NOW, ReadingsCase, report

MS = int(NOW * 1000)
HOUR = 3600.0


class ArrivalsTests(ReadingsCase):
    """When readings came, as it is kept."""

    async def prepare(self) -> None:
        await super().prepare()
        self.arrivals = Arrivals(self.database)

    async def came(self, sequence: int, *values: float, after: float = 0.0, age: float = 0.0, **more: Any) -> None:
        """A report comes so many seconds after the test began, of readings that are so old."""
        outcome = await self.store(report(sequence, *values, time=NOW + after - age, **more), received=NOW + after)
        assert outcome.error is None

    def runs(self, limit: int = 10) -> Deferred[tuple[Run, ...]]:
        """The kitchen's last runs."""
        return self.arrivals.of(KITCHEN, limit)

    async def test_one_run(self) -> None:
        """Reports that follow on one another are one row, over commits and restarts."""
        await self.came(1, 1.0, 2.0, clock=NOW)
        await self.came(3, 3.0, after=10, clock=NOW + 10)
        await self.reopen()
        self.arrivals = Arrivals(self.database)
        await self.came(4, 4.0, after=20, clock=NOW + 21)
        self.assertEqual(await self.runs(), (Run(1, 1, 4, MS + 20_000, MS, MS + 20_000, 0, 0),))

    async def test_what_begins_another(self) -> None:
        """A gap, another boot, readings that come late, and another clock begin a new one."""
        await self.came(1, 1.0, clock=NOW)
        await self.came(5, 1.0, after=1, clock=NOW + 1)
        await self.came(6, 1.0, after=2, age=HOUR, clock=NOW + 2)
        await self.came(7, 1.0, after=3, age=HOUR, clock=NOW + 3 - HOUR)
        await self.came(8, 1.0, after=4)
        await self.came(1, 1.0, after=5, boot=2)
        found = [(run.boot, run.first, run.clock, run.late) for run in await self.runs()]
        self.assertEqual(
            found, [(2, 1, None, 0), (1, 8, None, 0), (1, 7, -3_600_000, 1), (1, 6, 0, 1), (1, 5, 0, 0), (1, 1, 0, 0)]
        )

    async def test_repetition(self) -> None:
        """What came again did not come anew; what was new of it did."""
        await self.came(1, 1.0, 2.0)
        await self.came(1, 1.0, 2.0, after=50)
        await self.came(2, 2.0, 3.0, after=60)
        self.assertEqual([(run.first, run.last, run.until) for run in await self.runs()], [(1, 3, MS + 60_000)])

    async def test_a_day(self) -> None:
        """A run ends after a day."""
        await self.came(1, 1.0)
        await self.came(2, 1.0, after=LONGEST / 1000 + 1)
        self.assertEqual([run.first for run in await self.runs()], [2, 1])

    async def test_bound(self) -> None:
        """Of each device the last ones are kept."""
        self.patch(arrivals, "KEPT", 3)
        await self.store(report(1, 1.0), GARDEN)
        for number in range(6):
            await self.came(1, 1.0, after=number, boot=number + 1)
        self.assertEqual([run.boot for run in await self.runs()], [6, 5, 4])
        self.assertEqual(len(await self.arrivals.of(GARDEN, 10)), 1)

    async def test_newest(self) -> None:
        """The end of the newest boot is known, though an older one was heard of later."""
        await self.came(1, 1.0, 2.0, boot=8)
        await self.came(1, 1.0, after=5, age=HOUR, boot=7)
        newest = (await self.arrivals.newest())[KITCHEN]
        self.assertEqual((newest.boot, newest.last, newest.time), (8, 2, MS + 1000))
