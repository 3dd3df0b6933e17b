from __future__ import annotations

from twisted.internet.defer import Deferred, gatherResults

from iotcenter.model import CommandState
from iotcenter.storage import commands
from iotcenter.storage.commands import CommandRow, Commands
from iotcenter.storage.errors import NotFound
from tests.storage.support import GARDEN, KITCHEN, NOW, ReadingsCase


class CommandsTests(ReadingsCase):
    """What devices were told to do."""

    async def prepare(self) -> None:
        await super().prepare()
        self.commands = Commands(self.database)

    def add(self, device: str = KITCHEN, state: CommandState = CommandState.QUEUED) -> Deferred[int]:
        return self.commands.add(device, "relay", '{"on":true}', "ada", NOW, NOW + 60, state)

    async def test_recorded(self) -> None:
        """A command is kept as it was given, and what became of it."""
        number = await self.add()
        row = CommandRow(
            number, KITCHEN, "relay", '{"on":true}', "ada", NOW, NOW, NOW + 60, CommandState.QUEUED, None, None
        )
        self.assertEqual(await self.commands.get(number), row)
        await self.commands.update(number, CommandState.DONE, NOW + 1, '"on"')
        done = await self.commands.get(number)
        self.assertEqual((done.state, done.changed, done.result_json, done.error), ("done", NOW + 1, '"on"', None))
        await self.commands.update(number, CommandState.FAILED, NOW + 2, error="no relay")
        failed = await self.commands.get(number)
        self.assertEqual((failed.state, failed.result_json, failed.error), ("failed", None, "no relay"))

    async def test_unknown(self) -> None:
        """There is no command of another number, nor for another device."""
        await self.assertFailure(self.commands.get(1), NotFound)
        await self.assertFailure(self.commands.update(1, CommandState.DONE, NOW), NotFound)
        await self.assertFailure(self.add("f" * 32), NotFound)

    async def test_recent(self) -> None:
        """The newest come first, of one device."""
        first, _, third = await gatherResults([self.add(), self.add(GARDEN), self.add()])
        self.assertEqual([row.id for row in await self.commands.recent(KITCHEN)], [third, first])
        self.assertEqual([row.id for row in await self.commands.recent(KITCHEN, limit=1)], [third])

    async def test_pending(self) -> None:
        """Those that are not over yet come oldest first, of all devices."""
        numbers = {state: await self.add(GARDEN, state) for state in CommandState}
        kitchen = await self.add()
        pending = [number for state, number in numbers.items() if not state.final]
        self.assertEqual([row.id for row in await self.commands.pending()], [*pending, kitchen])

    async def test_kept(self) -> None:
        """The last ones are kept, of each device; what is not over yet stays."""
        self.patch(commands, "KEPT", 2)
        waiting = await self.add()
        garden = await self.add(GARDEN, CommandState.DONE)
        numbers = [await self.add(state=CommandState.DONE) for _ in range(4)]
        self.assertEqual(self.rows("SELECT id FROM command ORDER BY id"), [(waiting,), (garden,), *zip(numbers[2:])])

    async def test_never_twice(self) -> None:
        """No number is given twice, though its command is gone: the device remembers what it ran."""
        first = await self.add(GARDEN)
        await self.devices.remove(GARDEN)
        await self.reopen()
        self.commands = Commands(self.database)
        self.assertGreater(await self.add(), first)
