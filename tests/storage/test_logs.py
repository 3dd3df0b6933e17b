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

    async def all_lines(self, limit: int = 2, **more: Any) -> list[list[str]]:
        """The lines of all devices, page by page."""
        pages, place = [], None
        while True:
            found = await self.logs.of_all(limit, place, **more)
            pages.append([f"{one.device} {one.line.text}" for one in found.lines])
            if found.older is None:
                return pages
            place = found.older

    async def test_of_all(self) -> None:
        """Lines of all devices come by their times, page by page, none twice and none left out, though several have
        one time."""
        for device in (KITCHEN, GARDEN):
            await self.logs.append(
                device, [LogLine(NOW + at, LogLevel.INFO, f"{at} {text}") for at in (1, 2) for text in "ab"], NOW + 9
            )
        pages = await self.all_lines(3)
        names = {GARDEN: "garden", KITCHEN: "kitchen"}
        self.assertEqual([len(page) for page in pages], [3, 3, 2])
        self.assertEqual(
            [line for page in pages for line in page],
            [f"{names[device]} {at} {text}" for at in (2, 1) for device in (GARDEN, KITCHEN) for text in "ba"],
        )

    async def test_of_all_that_fit(self) -> None:
        """By level, by text whatever its case, and by device."""
        await self.append("One", "two", level=LogLevel.WARNING)
        await self.append("one more", device=GARDEN, level=LogLevel.ERROR)
        await self.append("one last")
        self.assertEqual(await self.all_lines(9, text="ONE", level=LogLevel.WARNING, device=KITCHEN), [["kitchen One"]])
        self.assertEqual(await self.all_lines(9, level=LogLevel.ERROR), [["garden one more"]])
        self.assertEqual(len((await self.all_lines(9, text="one"))[0]), 3)

    async def test_long_search(self) -> None:
        """A search looks through a bounded number of lines at a time, and goes on where it was."""
        self.patch(logs, "SEARCHED", 4)
        await self.append("needle", level=LogLevel.ERROR)
        await self.append(*(f"hay {number}" for number in range(10)), level=LogLevel.WARNING)
        self.assertEqual(await self.all_lines(5, text="needle"), [[], [], ["kitchen needle"]])
        self.assertEqual(await self.all_lines(5, level=LogLevel.ERROR), [[], [], ["kitchen needle"]])
