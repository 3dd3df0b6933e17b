from __future__ import annotations

from typing import Any

from iotcenter.model import EventKind
from iotcenter.storage import events
from iotcenter.storage.events import EventFilter, EventRow, Events
from tests.storage.support import NOW, DatabaseCase


class PruningTests(DatabaseCase):
    """What makes way when there are many events."""

    async def prepare(self) -> None:
        self.events = Events(self.database)
        self.patch(events, "KEPT", 3)
        self.patch(events, "LOOK_EVERY", 1)

    async def add(self, kind: EventKind, text: str, actor: str = "ann") -> None:
        """Something happened."""
        await self.events.add(EventRow(0, NOW, kind, actor, "pi", text, "{}"))

    async def texts(self, kind: str = "") -> list[str]:
        """What is there, oldest first."""
        return [event.text for event in reversed(await self.events.recent(100, EventFilter(kind=kind)))]

    async def test_oldest(self) -> None:
        """Of a kind of which there are too many the oldest go."""
        for number in range(5):
            await self.add(EventKind.COMMAND_GIVEN, str(number))
        self.assertEqual(await self.texts(), ["2", "3", "4"])

    async def test_kinds(self) -> None:
        """Nobody pushes out who signed in by giving commands."""
        await self.add(EventKind.SIGNED_IN, "mallory came")
        for number in range(10):
            await self.add(EventKind.COMMAND_GIVEN, str(number))
        self.assertEqual(await self.texts(EventKind.SIGNED_IN), ["mallory came"])
        self.assertEqual(len(await self.texts()), 4)

    async def test_actors(self) -> None:
        """Nobody pushes out when others signed in by signing in again and again."""
        await self.add(EventKind.SIGNED_IN, "ann came")
        for number in range(10):
            await self.add(EventKind.SIGNED_IN, str(number), "mallory")
        self.assertEqual(await self.texts(), ["ann came", "8", "9"])


class FilterTests(DatabaseCase):
    """Which events are found."""

    async def prepare(self) -> None:
        self.events = Events(self.database)
        happened = (
            (0.0, EventKind.SIGNED_IN, "ann", "ann"),
            (1.0, EventKind.COMMAND_GIVEN, "ann", "kitchen"),
            (2.0, EventKind.COMMAND_GIVEN, "bob", "garden"),
            (3.0, EventKind.SIGNED_IN, "bob", "bob"),
        )
        for number, (after, kind, actor, object) in enumerate(happened):
            await self.events.add(EventRow(0, NOW + after, kind, actor, object, str(number), "{}"))

    async def found(self, limit: int = 100, **wanted: Any) -> str:
        """The texts of those that are found, newest first."""
        return "".join(event.text for event in await self.events.recent(limit, EventFilter(**wanted)))

    async def test_all(self) -> None:
        """Without a filter all are, newest first; with a limit the newest."""
        self.assertEqual([await self.found(), await self.found(2)], ["3210", "32"])

    async def test_kind(self) -> None:
        """Those of one kind are found alone."""
        self.assertEqual(await self.found(kind=EventKind.COMMAND_GIVEN), "21")

    async def test_actor(self) -> None:
        """So is what one person did."""
        self.assertEqual(await self.found(actor="ann"), "10")

    async def test_object(self) -> None:
        """So is what was done to one thing."""
        self.assertEqual(await self.found(object="garden"), "2")

    async def test_span(self) -> None:
        """So is what happened from one time on up to another."""
        self.assertEqual(await self.found(start=NOW + 1, end=NOW + 3), "21")

    async def test_before(self) -> None:
        """So is what happened before some event, which is how pages of them follow on one another."""
        third = (await self.events.recent(2, EventFilter()))[-1]
        self.assertEqual(await self.found(before=third.id), "10")

    async def test_together(self) -> None:
        """Filters that are set together all hold."""
        self.assertEqual(await self.found(kind=EventKind.COMMAND_GIVEN, actor="bob", start=NOW), "2")
        self.assertEqual(await self.found(kind=EventKind.COMMAND_GIVEN, actor="ann", object="garden"), "")
