from __future__ import annotations

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
