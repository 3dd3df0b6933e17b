from __future__ import annotations

from iotcenter.model import EventKind
from iotcenter.storage import events
from iotcenter.storage.events import EventFilter, EventRow, Events
from tests.storage.support import NOW, DatabaseCase


class PruningTests(DatabaseCase):
    """What makes way when there are many events."""

    async def prepare(self) -> None:
        self.events = Events(self.database)

    async def add(self, kind: EventKind, text: str) -> None:
        """Something happened."""
        await self.events.add(EventRow(0, NOW, kind, "ann", "pi", text, "{}"))

    async def texts(self, kind: str = "") -> list[str]:
        """What is there, oldest first."""
        return [event.text for event in reversed(await self.events.recent(100, EventFilter(kind=kind)))]

    async def test_oldest(self) -> None:
        """Of a kind of which there are too many the oldest go."""
        self.patch(events, "KEPT", 3)
        for number in range(5):
            await self.add(EventKind.COMMAND_GIVEN, str(number))
        self.assertEqual(await self.texts(), ["2", "3", "4"])

    async def test_kinds(self) -> None:
        """Nobody pushes out who signed in by giving commands."""
        self.patch(events, "KEPT", 3)
        await self.add(EventKind.SIGNED_IN, "mallory came")
        for number in range(10):
            await self.add(EventKind.COMMAND_GIVEN, str(number))
        self.assertEqual(await self.texts(EventKind.SIGNED_IN), ["mallory came"])
        self.assertEqual(len(await self.texts()), 4)
