from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.storage.forecast import LOOKED_BACK, disk, foretell, in_use, note_size
from tests.storage.support import NOW, DatabaseCase

DAY = 86400
GB = 10**9


class ForetellingTests(SynchronousTestCase):
    """When the disk will be full."""

    def test_days(self) -> None:
        """It is as many days away as the growth of one goes into what is free."""
        self.assertEqual(foretell([(0, GB), (2 * DAY, 3 * GB)], 214 * GB), (214, "full in 214 days"))

    def test_soon(self) -> None:
        """What is near is said to be."""
        self.assertEqual(foretell([(0, 0), (DAY, GB)], GB + 1), (1, "full within two days"))

    def test_never(self) -> None:
        """What does not grow, or hardly, does not fill the disk."""
        for grown in (-GB, 0, 1000):
            self.assertEqual(foretell([(0, GB), (DAY, GB + grown)], GB), (None, "not full within ten years"))

    def test_too_early(self) -> None:
        """Of a moment's growth nothing is foretold."""
        for samples in ([], [(0, 0)], [(0, 0), (3600, GB)]):
            self.assertEqual(foretell(samples, GB), (None, "known after 6 hours of measuring"))


class MeasuringTests(DatabaseCase):
    """What the forecast is made of."""

    async def test_disk(self) -> None:
        """The size is noted, and the room is that of the directory."""
        for days in (0, 1):
            await self.database.write(lambda connection, days=days: note_size(connection, NOW + days * DAY))  # type: ignore[misc]
        found = await self.database.read(lambda connection: disk(connection, Path(self.path).parent))
        self.assertEqual(found.used, await self.database.read(in_use))
        self.assertEqual(found.forecast, "not full within ten years")
        self.assertGreater(found.free, 0)

    async def test_bound(self) -> None:
        """Notes are kept for two weeks; those from the future, of a clock that was set back, are dropped."""
        for time in (NOW, NOW + 2 * LOOKED_BACK, NOW + DAY):
            await self.database.write(lambda connection, time=time: note_size(connection, time))  # type: ignore[misc]
        self.assertEqual(self.rows("SELECT time FROM growth"), [(NOW + DAY,)])
