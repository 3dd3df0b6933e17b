"""What devices are told."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta
from twisted.web.server import Request

from iotcenter.center.commands import MAX_LIFETIME, MAX_TIMEOUT
from iotcenter.center.errors import UnknownCommand
from iotcenter.model import Command, Identifier, Role
from iotcenter.web.api.taken import Taken
from iotcenter.web.guard import ID, api
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


class NewCommand(Taken, frozen=True):
    """A command. ``timeout`` is how many seconds to wait for its result, ``lifetime`` how many it may wait for its
    device."""

    name: Identifier
    args: dict[str, Any] = {}
    timeout: Annotated[float, Meta(ge=0, le=MAX_TIMEOUT)] | None = None
    lifetime: Annotated[float, Meta(ge=0, le=MAX_LIFETIME)] | None = None


class CommandHandlers:
    """Gives commands to devices, and tells what became of them."""

    def __init__(self, parts: Parts) -> None:
        self._commands = parts.center.commands

    @api("/devices/<name>/commands", role=Role.OPERATOR, method="POST", failures=(404, 409))
    async def send(self, request: Request, principal: Principal, name: str, body: NewCommand) -> Command:
        """Give a device a command. The answer is where the command stands when its timeout is over, or when it
        ended."""
        return await self._commands.send(
            name, body.name, body.args, principal.actor, timeout=body.timeout or 0.0, lifetime=body.lifetime or 0.0
        )

    @api("/devices/<name>/commands", role=Role.VIEWER, failures=(404,))
    async def recent(self, request: Request, principal: Principal, name: str) -> tuple[Command, ...]:
        """The last commands of a device, newest first."""
        return await self._commands.recent(name)

    @api(f"/devices/<name>/commands/<{ID}:id>", role=Role.VIEWER, failures=(404,))
    async def show(self, request: Request, principal: Principal, name: str, id: int) -> Command:
        """What became of a command."""
        return await self._of(name, id)

    @api(
        f"/devices/<name>/commands/<{ID}:id>",
        role=Role.OPERATOR,
        method="DELETE",
        failures=(404,),
    )
    async def cancel(self, request: Request, principal: Principal, name: str, id: int) -> Command:
        """Take back a command that was not sent yet; one that was stays as it is."""
        await self._of(name, id)
        return await self._commands.cancel(id, principal.actor)

    async def _of(self, name: str, id: int) -> Command:
        command = await self._commands.get(id)
        if command.device != name:
            raise UnknownCommand(f"{name} was given no command {id}")
        return command
