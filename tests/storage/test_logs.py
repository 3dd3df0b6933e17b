from __future__ import annotations

from typing import Any

from iotcenter.model import LogLevel, LogLine
from iotcenter.storage import logs
from iotcenter.storage.errors import NotFound
from iotcenter.storage.logs import Logs, StoredLine
from tests.storage.support import GARDEN, KITCHEN, NOW, ReadingsCase


class LogsTests(ReadingsCase):
    """The lines that devices log."""

    async def prepare(self) -> None:
        await super().prepare()
        self.logs = Logs(self.database)

    async def append(self, *texts: str, device: str = KITCHEN, level: LogLevel = LogLevel.INFO) -> None:
        await self.logs.append(device, [LogLine(NOW, level, text) for text in texts], NOW)

    async def recent(self, limit: int = 100, **more: Any) -> list[str]:
        return [line.text for line in await self.logs.recent(KITCHEN, limit, **more)]

    async def test_kept(self) -> None:
        """Lines are told as they are kept, numbered within their device, and come back newest first."""
        stored = await self.logs.append(
            KITCHEN, [LogLine(-2.5, LogLevel.INFO, "one"), LogLine(NOW, LogLevel.ERROR, "two")], NOW
        )
        expected = (StoredLine(1, NOW - 2.5, LogLevel.INFO, "one"), StoredLine(2, NOW, LogLevel.ERROR, "two"))
        self.assertEqual(stored, expected)
        self.assertEqual(await self.logs.recent(KITCHEN), expected[::-1])

    async def test_impossible_time(self) -> None:
        """A line of which the time cannot be was logged when it came."""
        [stored] = await self.logs.append(KITCHEN, [LogLine(2.0**28, LogLevel.INFO, "x")], NOW)
        self.assertEqual(stored.time, NOW)

    async def test_which(self) -> None:
        """Lines are chosen by device, number and level."""
        await self.append("one", "two", "three")
        await self.append("bad", level=LogLevel.WARNING)
        await self.append("other", device=GARDEN)
        self.assertEqual(await self.recent(2), ["bad", "three"])
        self.assertEqual(await self.recent(before=3), ["two", "one"])
        self.assertEqual(await self.recent(level=LogLevel.WARNING), ["bad"])

    async def test_last_are_kept(self) -> None:
        """The last lines are kept, of each device."""
        self.patch(logs, "KEPT", 2)
        await self.append("other", device=GARDEN)
        await self.append("one")
        await self.append("two", "three")
        self.assertEqual(await self.recent(), ["three", "two"])
        self.assertEqual(len(await self.logs.recent(GARDEN)), 1)
        await self.append("four")
        self.assertEqual([line.id for line in await self.logs.recent(KITCHEN)], [4, 3])

    async def test_long_lines(self) -> None:
        """Where lines are long, fewer are kept: as many as fit, the newest of them."""
        self.patch(logs, "KEPT_BYTES", 10)
        self.patch(logs, "MEASURE_EVERY", 2)
        await self.append("x", "y", device=GARDEN)
        await self.append("a", "bbb")
        self.assertEqual(await self.recent(), ["bbb", "a"])
        await self.append("ccc", "ää")
        self.assertEqual(await self.recent(), ["ää", "ccc", "bbb"])
        self.assertEqual(len(await self.logs.recent(GARDEN)), 2)

    async def test_unknown(self) -> None:
        """A device that there is not logs nothing."""
        await self.assertFailure(self.logs.append("f" * 32, [LogLine(NOW, LogLevel.INFO, "x")], NOW), NotFound)
