"""A command's way: recorded, sent, received, done; or kept until its device returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from iotcenter.center.devices import Devices
from iotcenter.center.errors import DeviceOffline, TooManyCommands, UnknownCommand
from iotcenter.center.known import KnownDevice
from iotcenter.center.pending import PendingCommand
from iotcenter.center.records import CommandRecords
from iotcenter.center.subscribers import Clock, CommandEvent, Subscribers
from iotcenter.finishing import finishing
from iotcenter.model import ArgumentType, Command, CommandOffer, CommandState
from iotcenter.storage.store import Store
from iotcenter.wire import messages
from iotcenter.wire.arguments import ArgumentsError, check_arguments

if TYPE_CHECKING:
    from iotcenter.center.links import DeviceLink

MAX_PENDING = 100
"""The most commands that wait for one device: more would only surprise it, and its owner, when it returns."""

MAX_RESULT = 64 * 1024
"""The longest result that is kept, in bytes of JSON: what a person reads on a page."""

MAX_TIMEOUT = 600.0
"""The longest that a caller may wait for a result, in seconds: proxies and browsers give up earlier."""

MAX_LIFETIME = 30 * 86400.0
"""The longest that a command may wait for its device, in seconds."""

ANSWER_WITHIN = 30.0
"""Seconds in which a device that is online must at least say that it received a command."""

RUN_WITHIN = 86400.0
"""Seconds in which a command that was received must come to an end."""

EXPIRED = {
    CommandState.QUEUED: "the device did not come in time",
    CommandState.SENT: "the device did not answer in time",
    CommandState.RECEIVED: "the device received it, and never said what became of it",
}
"""Why a command expired, by the state that it was in."""

HIDDEN = "•••"
"""What stands in the records for a secret argument."""


class Commands:
    """Gives commands to devices, and keeps account of each until nothing more can happen to it."""

    log = Logger()

    def __init__(self, store: Store, devices: Devices, subscribers: Subscribers, clock: Clock) -> None:
        self._records = CommandRecords(store, devices)
        self._devices = devices
        self._subscribers = subscribers
        self._clock = clock
        self._pending: dict[int, PendingCommand] = {}

    async def load(self) -> None:
        """Take up what was under way when the server stopped."""
        for command in await self._records.pending():
            self._watch(command, command.args)

    def stop(self) -> None:
        """Forget what is under way; the records stay, and are taken up at the next start."""
        for pending in self._pending.values():
            pending.end()
        self._pending.clear()

    async def send(
        self, device: str, name: str, args: Mapping[str, Any], actor: str, timeout: float = 0.0, lifetime: float = 0.0
    ) -> Command:
        """Give a command to a device, and wait up to ``timeout`` seconds for its result; the answer is where it stands
        then.

        ``lifetime`` is how many seconds it may wait for a device that is offline. Raises ``UnknownDevice``,
        ``UnknownCommand``, ``ArgumentsError``, ``DeviceOffline`` and ``TooManyCommands``. The command goes its way
        though the caller is cancelled.
        """
        known = self._devices.named(device)
        offer = known.command(name)
        if offer is None:
            raise UnknownCommand(f"{device} offers no command {name}")
        checked = check_arguments(offer, args)
        if not known.linked:
            self._check_may_wait(known, offer, lifetime)
        if len(self._of(known)) >= MAX_PENDING:
            raise TooManyCommands(f"{MAX_PENDING} commands wait for {device} already")
        lifetime, timeout = min(max(lifetime, 0.0), MAX_LIFETIME), min(max(timeout, 0.0), MAX_TIMEOUT)
        return await self._give(known, offer, checked, actor, timeout, lifetime)

    async def get(self, id: int) -> Command:
        """The command with that number. Raises ``UnknownCommand``."""
        pending = self._pending.get(id)
        return pending.command if pending is not None else await self._records.get(id)

    async def recent(self, device: str, limit: int = 50) -> tuple[Command, ...]:
        """The last commands of a device, newest first. Raises ``UnknownDevice``."""
        kept = await self._records.recent(self._devices.named(device), limit)
        return tuple(self._pending[one.id].command if one.id in self._pending else one for one in kept)

    async def cancel(self, id: int, actor: str) -> Command:
        """Take back a command that was not sent yet; one that was stays as it is. Raises ``UnknownCommand``."""
        pending = self._pending.get(id)
        if pending is not None and pending.command.state is CommandState.QUEUED:
            self._change(pending, CommandState.CANCELLED, error=f"cancelled by {actor}")
        return await self.get(id)

    def joined(self, attachment: DeviceLink) -> None:
        """A device is back: it gets what waited for it. What it had before it knows by its number, and answers
        again."""
        for pending in self._of(attachment.known):
            self._transmit(pending)

    def parted(self, attachment: DeviceLink) -> None:
        """A device went: what it did not say it received returns to the queue."""
        for pending in self._of(attachment.known):
            if pending.command.state is CommandState.SENT:
                self._change(pending, CommandState.QUEUED)

    def removed(self, known: KnownDevice) -> None:
        """A device is no more, and its commands with it."""
        for pending in self._of(known):
            pending.end()
            del self._pending[pending.command.id]

    def result(self, attachment: DeviceLink, message: messages.Result) -> None:
        """A device said what became of a command."""
        pending = self._pending.get(message.id)
        if pending is None or pending.device is not attachment.known or pending.command.state.final:
            self.log.debug(
                "{name} answers command {id}, which nobody waits for", name=attachment.known.name, id=message.id
            )
            return
        if message.state is messages.ResultState.RECEIVED:
            self._change(pending, CommandState.RECEIVED)
            self._expire_in(pending, RUN_WITHIN)
        elif message.state is messages.ResultState.FAILED:
            self._change(pending, CommandState.FAILED, error=message.error or "the device gave no reason")
        else:
            self._done(pending, message.result)

    @finishing
    async def _give(
        self, known: KnownDevice, offer: CommandOffer, args: dict[str, Any], actor: str, timeout: float, lifetime: float
    ) -> Command:
        now = self._clock.seconds()
        command = Command(
            id=0,
            device=known.name,
            name=offer.name,
            args=_without_secrets(offer, args),
            state=CommandState.QUEUED,
            actor=actor,
            created=now,
            changed=now,
            expires=now + max(lifetime, timeout, ANSWER_WITHIN),
        )
        pending = self._watch(await self._records.add(known, command), args)
        if pending is None:
            raise UnknownCommand(f"{known.name} was removed")
        self._subscribers.publish(CommandEvent(pending.command))
        if known.linked:
            self._transmit(pending)
        if timeout:
            await self._ended(pending, timeout)
        return pending.command

    def _ended(self, pending: PendingCommand, timeout: float) -> Deferred[None]:
        """Fires when the command has ended or the time is over."""
        waiter: Deferred[None] = Deferred()
        if pending.command.state.final:
            waiter.callback(None)
            return waiter
        pending.waiters.append(waiter)
        over = self._clock.callLater(timeout, pending.release, waiter)
        waiter.addBoth(lambda _: over.cancel() if over.active() else None)
        return waiter

    def _check_may_wait(self, known: KnownDevice, offer: CommandOffer, lifetime: float) -> None:
        if lifetime <= 0:
            raise DeviceOffline(known.name)
        for argument in offer.arguments:
            if argument.type is ArgumentType.SECRET:
                raise ArgumentsError(
                    {argument.name: "is a secret, which is not kept: send the command while the device is online"}
                )

    def _of(self, known: KnownDevice) -> list[PendingCommand]:
        pending = (self._pending[id] for id in sorted(self._pending))
        return [one for one in pending if one.device is known and not one.command.state.final]

    def _watch(self, command: Command, args: Mapping[str, Any]) -> PendingCommand | None:
        try:
            known = self._devices.named(command.device)
        except LookupError:
            return None
        pending = PendingCommand(known, command, dict(args))
        self._pending[command.id] = pending
        running = command.state is CommandState.RECEIVED
        end = command.changed + RUN_WITHIN if running else command.expires
        self._expire_in(pending, end - self._clock.seconds())
        return pending

    def _expire_in(self, pending: PendingCommand, seconds: float) -> None:
        pending.stop()
        pending.timer = self._clock.callLater(max(0.0, seconds), self._expire, pending)

    def _transmit(self, pending: PendingCommand) -> None:
        command = pending.command
        if command.state is CommandState.QUEUED:
            self._change(pending, CommandState.SENT)
        pending.device.attachment.link.send(messages.Command(command.id, command.name, pending.args))

    def _expire(self, pending: PendingCommand) -> None:
        pending.timer = None
        self._change(pending, CommandState.EXPIRED, error=EXPIRED[pending.command.state])

    def _done(self, pending: PendingCommand, result: Any) -> None:
        try:
            size = len(msgspec.json.encode(result))
        except (TypeError, ValueError, RecursionError, OverflowError):
            self._change(pending, CommandState.FAILED, error="the device's result cannot be shown as JSON")
            return
        if size > MAX_RESULT:
            self._change(
                pending, CommandState.FAILED, error=f"the device's result is {size} bytes; the limit is {MAX_RESULT}"
            )
            return
        self._change(pending, CommandState.DONE, result=result)

    def _change(
        self, pending: PendingCommand, state: CommandState, result: Any = None, error: str | None = None
    ) -> None:
        now = self._clock.seconds()
        pending.command = command = msgspec.structs.replace(
            pending.command, state=state, changed=now, result=result, error=error
        )
        writing = self._records.update(command).addErrback(self._not_written, command.id)
        self._subscribers.publish(CommandEvent(command))
        if state.final:
            pending.end()
            # Until it is on disk, who asks is answered from here.
            writing.addCallback(lambda _: self._pending.pop(command.id, None))

    def _not_written(self, failure: Failure, id: int) -> None:
        self.log.warn("Command {id} was not written down: {why}", id=id, why=failure.getErrorMessage())


def _without_secrets(offer: CommandOffer, args: Mapping[str, Any]) -> dict[str, Any]:
    secret = {argument.name for argument in offer.arguments if argument.type is ArgumentType.SECRET}
    return {name: HIDDEN if name in secret else value for name, value in args.items()}
