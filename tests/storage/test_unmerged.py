from __future__ import annotations

from iotcenter.model import Reading
from iotcenter.wire.messages import Report
from tests.storage.support import GARDEN, KITCHEN, NOW, ReadingsCase, report


class UnmergedTests(ReadingsCase):
    """What is acknowledged is known before it is merged."""

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
