from __future__ import annotations

from iotcenter.model import Value
from iotcenter.storage.answers import BucketColumns, Question, RawColumns
from iotcenter.storage.errors import NotFound
from iotcenter.storage.importing import Imported, Imports
from iotcenter.storage.logs import Logs
from tests.storage.support import KITCHEN, NOW, ReadingsCase, report


class ImportsTests(ReadingsCase):
    """What was measured before."""

    async def prepare(self) -> None:
        await super().prepare()
        self.imports = Imports(self.database)

    async def bring(self, *readings: tuple[float, Value]) -> Imported:
        """Import readings of one series."""
        return await self.imports.readings(KITCHEN, "t", readings, NOW)

    async def ask(self, step: float = 0) -> RawColumns | BucketColumns:
        """All readings of that series."""
        return await self.readings.query(Question(KITCHEN, "t", 0, NOW + 1000, step))

    async def test_once(self) -> None:
        """It is added once, however often it is brought, and stands in the buckets."""
        readings: list[tuple[float, Value]] = [
            (NOW - 3.0, 1.5),
            (NOW - 2.0, True),
            (NOW - 2.0, 1.0),
            (NOW - 1.0, "open"),
        ]
        self.assertEqual(await self.bring(*readings), Imported(added=4, known=0))
        self.assertEqual(await self.bring(*readings, readings[0]), Imported(added=0, known=5))
        self.assertEqual(await self.ask(), RawColumns([NOW - 3, NOW - 2, NOW - 2, NOW - 1], [1.5, True, 1.0, "open"]))
        buckets = await self.ask(86400)
        assert isinstance(buckets, BucketColumns)
        self.assertEqual((buckets.count, buckets.last), ([4], ["open"]))

    async def test_what_was_reported(self) -> None:
        """What the device itself reported is the same reading."""
        await self.store(report(1, 1.0, 2.0))
        self.assertEqual(await self.bring((NOW, 1.0), (NOW, 5.0), (NOW + 1, 2.0)), Imported(added=1, known=2))

    async def test_refused(self) -> None:
        """What cannot be stored is said, with its place; the rest is added."""
        found = await self.bring((1.0, 1.0), (NOW, "x" * 300), (NOW, 2.0))
        self.assertEqual((found.added, [each.place for each in found.refused]), (1, [0, 1]))
        self.assertIn("2001", found.refused[0].reason)
        self.assertIn("255", found.refused[1].reason)
        refused = (await self.imports.readings(KITCHEN, "a b", [(NOW, 1.0)], NOW)).refused
        self.assertIn("cannot have that name", refused[0].reason)

    async def test_unknown_device(self) -> None:
        """There must be the device."""
        await self.assertFailure(self.imports.readings("f" * 32, "t", [(NOW, 1.0)], NOW), NotFound)

    async def test_lines(self) -> None:
        """Lines of a log are added once too."""
        lines = [(NOW - 2, "began"), (NOW - 1, "ended")]
        self.assertEqual(await self.imports.lines(KITCHEN, lines, NOW), Imported(added=2, known=0))
        self.assertEqual(await self.imports.lines(KITCHEN, lines, NOW), Imported(added=0, known=2))
        found = await Logs(self.database).recent(KITCHEN)
        self.assertEqual([(line.time, line.text) for line in found], list(reversed(lines)))
