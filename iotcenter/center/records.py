"""Commands as they are written down, by their devices' names."""

from __future__ import annotations

import msgspec
from twisted.internet.defer import Deferred

from iotcenter.center.devices import Devices
from iotcenter.center.errors import UnknownCommand
from iotcenter.center.known import KnownDevice
from iotcenter.model import Command
from iotcenter.storage.commands import CommandRow
from iotcenter.storage.errors import NotFound
from iotcenter.storage.store import Store


class CommandRecords:
    """Turns commands into rows and back: a row has its device's id, and JSON where a command has values."""

    def __init__(self, store: Store, devices: Devices) -> None:
        self._rows = store.commands
        self._devices = devices

    async def add(self, known: KnownDevice, command: Command) -> Command:
        """Write a new command down; it comes back with its number."""
        id = await self._rows.add(
            known.id,
            command.name,
            msgspec.json.encode(command.args).decode(),
            command.actor,
            command.created,
            command.expires,
            command.state,
        )
        return msgspec.structs.replace(command, id=id)

    def update(self, command: Command) -> Deferred[None]:
        """Write down what became of a command."""
        result = None if command.result is None else msgspec.json.encode(command.result).decode()
        return self._rows.update(command.id, command.state, command.changed, result, command.error)

    async def get(self, id: int) -> Command:
        """The command with that number. Raises ``UnknownCommand``."""
        try:
            return self._command(await self._rows.get(id))
        except NotFound:
            raise UnknownCommand(f"there is no command {id}") from None

    async def recent(self, known: KnownDevice, limit: int) -> tuple[Command, ...]:
        """The last commands of a device, newest first."""
        return tuple(self._command(row) for row in await self._rows.recent(known.id, limit))

    async def pending(self) -> tuple[Command, ...]:
        """The commands that something can still happen to, oldest first."""
        return tuple(self._command(row) for row in await self._rows.pending())

    def _command(self, row: CommandRow) -> Command:
        known = self._devices.find(row.device)
        return Command(
            id=row.id,
            device=known.name if known is not None else row.device,
            name=row.name,
            args=msgspec.json.decode(row.args_json),
            state=row.state,
            actor=row.actor,
            created=row.created,
            changed=row.changed,
            expires=row.expires,
            result=None if row.result_json is None else msgspec.json.decode(row.result_json),
            error=row.error,
        )
