from __future__ import annotations

from random import Random

from iotcenter.model import Reading
from iotcenter.storage import unmerged as unmerged_module
from iotcenter.storage.unmerged import Row, unmerged
from iotcenter.wire.messages import Report
from tests.storage.support import GARDEN, KITCHEN, NOW, ReadingsCase, report

TABLE = """
    SELECT name, time, progress.boot, sequence, value FROM reading JOIN series ON series.id = reading.series
    JOIN progress ON progress.device = series.device AND progress.number = reading.boot WHERE series.device = ?
"""


class UnmergedTests(ReadingsCase):
    """What is acknowledged can be seen before it is merged."""

    async def unmerged(self, device: str = KITCHEN) -> list[Row]:
        """What merging has still to add."""
        return await self.database.read(lambda connection: unmerged(connection, self.inbox.view(), device))

    async def test_seen(self) -> None:
        """Each reading is there, of its own device, as it will be stored; what does not fit is not."""
        await self.acknowledge(report(1, 1.0, True, boot=3), report(3, float("nan"), "open", boot=3))
        await self.acknowledge(report(1, 9.0), device=GARDEN)
        time = NOW * 1000
        self.assertEqual(
            await self.unmerged(),
            [("t", time, 3, 1, 1.0), ("t", time + 1000, 3, 2, True), ("t", time + 1000, 3, 4, "open")],
        )
        self.assertEqual(await self.unmerged(GARDEN), [("t", time, 1, 1, 9.0)])

    async def test_same_as_merging(self) -> None:
        """Whatever was merged before, and whatever comes again: together with the table it is what merging gives."""
        random = Random(20261122)
        for _ in range(12):
            for _ in range(10):
                first, count = random.randint(1, 200), random.randint(1, 20)
                values = [float(number) for number in range(first, first + count)]
                await self.acknowledge(report(first, *values, boot=random.randint(1, 3), time=NOW - 30))
            found = await self.database.read(self.all_rows)
            self.merger.start()
            await self.readings.settled()
            await self.merger.stop()
            self.assertEqual(sorted(found), sorted(await self.database.read(self.all_rows)))

    def all_rows(self, connection: object) -> list[tuple[object, ...]]:
        """The table's and those to come."""
        view = self.inbox.view()
        rows = connection.execute(TABLE, (KITCHEN,)).fetchall()  # type: ignore[attr-defined]
        return [*rows, *map(tuple, unmerged(connection, view, KITCHEN))]  # type: ignore[arg-type]

    async def test_bound(self) -> None:
        """Of a long backlog the first part is looked at."""
        self.patch(unmerged_module, "MOST_LOOKED_AT", 10)
        for first in range(1, 31, 5):
            await self.acknowledge(report(first, *[1.0] * 5))
        self.assertEqual([row.sequence for row in await self.unmerged()], list(range(1, 11)))

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
