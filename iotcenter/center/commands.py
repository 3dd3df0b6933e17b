"""A command's way: recorded, sent, received, done; or kept until its device returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from iotcenter.center.devices import Devices
from iotcenter.center.errors import DeviceOffline, TooManyCommands, UnknownCommand
from iotcenter.center.events import Events
from iotcenter.center.known import KnownDevice
from iotcenter.center.pending import ANSWER_WITHIN, PendingCommand, PendingCommands
from iotcenter.center.records import CommandRecords
from iotcenter.center.subscribers import CommandEvent, Subscribers
from iotcenter.finishing import finishing
from iotcenter.interfaces import Clock
from iotcenter.model import MAX_RESULT, ArgumentType, Command, CommandOffer, CommandState, DeviceId, EventKind
from iotcenter.storage.store import Store
from iotcenter.wire import messages
from iotcenter.wire.arguments import ArgumentsError, check_arguments

if TYPE_CHECKING:
    from iotcenter.center.links import DeviceLink

MAX_PENDING = 100
"""The most commands that wait for one device: more would only surprise it, and its owner, when it returns."""

MAX_DEPTH = 16
"""How deep a result may be nested: indented on a page, each level costs two blanks a line."""

MAX_TIMEOUT = 600.0
"""The longest that a caller may wait for a result, in seconds: proxies and browsers give up earlier."""

MAX_LIFETIME = 30 * 86400.0
"""The longest that a command may wait for its device, in seconds."""

HIDDEN = "•••"
"""What stands in the records for a secret argument."""


class Commands:
    """Gives commands to devices, and keeps account of each until nothing more can happen to it."""

    log = Logger()

    def __init__(self, store: Store, devices: Devices, subscribers: Subscribers, events: Events, clock: Clock) -> None:
        self._records = CommandRecords(store, devices)
        self._pending = PendingCommands(self._records, subscribers, events, clock)
        self._events = events
        self._devices = devices
        self._subscribers = subscribers
        self._clock = clock
        self._being_recorded: Counter[DeviceId] = Counter()

    async def load(self) -> None:
        """Take up what was under way when the server stopped. What had a secret cannot go on: that was not kept."""
        for command in await self._records.pending():
            pending = self._pending.watch(self._devices.named(command.device), command, command.args)
            if HIDDEN in command.args.values():
                error = "the server was started again, and does not keep secrets: send it once more"
                self._pending.change(pending, CommandState.FAILED, error=error)

    def stop(self) -> None:
        """Forget what is under way; the records stay, and are taken up at the next start."""
        self._pending.clear()

    async def send(
        self, device: str, name: str, args: Mapping[str, Any], actor: str, timeout: float = 0.0, lifetime: float = 0.0
    ) -> Command:
        """Give a command to a device, and wait up to ``timeout`` seconds for its result.

        The answer is where it stands then. ``lifetime`` is how many seconds it may wait for a device that is offline.
        Raises ``UnknownDevice``, ``UnknownCommand``, ``ArgumentsError``, ``DeviceOffline`` and ``TooManyCommands``. The
        command goes its way though the caller is cancelled.
        """
        known = self._devices.named(device)
        offer, checked = _offered(known, name, args)
        if not known.linked:
            _check_may_wait(known, offer, lifetime)
        if len(self._pending.of(known)) + self._being_recorded[known.id] >= MAX_PENDING:
            raise TooManyCommands(f"{MAX_PENDING} commands wait for {device} already")
        lifetime, timeout = min(max(lifetime, 0.0), MAX_LIFETIME), min(max(timeout, 0.0), MAX_TIMEOUT)
        return await self._give(known, offer, checked, actor, timeout, lifetime)

    async def get(self, id: int) -> Command:
        """The command with that number. Raises ``UnknownCommand``."""
        pending = self._pending.get(id)
        return pending.command if pending is not None else await self._records.get(id)

    async def recent(self, device: str, limit: int = 50) -> tuple[Command, ...]:
        """The last commands of a device, newest first. Raises ``UnknownDevice``."""
        known = self._devices.named(device)
        # Noted before the read: what ends meanwhile is on disk only after it, and shows its end all the same.
        pending = {one.command.id: one for one in self._pending.all_of(known)}
        kept = await self._records.recent(known, limit)
        return tuple(pending[one.id].command if one.id in pending else one for one in kept)

    async def cancel(self, id: int, actor: str) -> Command:
        """Take back a command that was not sent yet; one that was stays as it is. Raises ``UnknownCommand``."""
        pending = self._pending.get(id)
        if pending is not None and pending.command.state is CommandState.QUEUED:
            self._pending.change(pending, CommandState.CANCELLED, error=f"cancelled by {actor}")
        return await self.get(id)

    def joined(self, attachment: DeviceLink) -> None:
        """A device is back: it is asked again for what it has no end of, and gets what waited for it."""
        for pending in self._pending.of(attachment.known):
            if pending.under_way:
                self._pending.transmit(pending)
        self._pending.feed(attachment.known)

    def parted(self, attachment: DeviceLink) -> None:
        """A device went: what it did not say it received returns to the queue."""
        for pending in self._pending.of(attachment.known):
            if pending.command.state is CommandState.SENT:
                self._pending.return_to_queue(pending)

    def listening(self, attachment: DeviceLink) -> None:
        """A device that sleeps listens for a moment: it gets what waits for it."""
        self._pending.feed(attachment.known)

    def undelivered(self, attachment: DeviceLink, commands: Collection[int]) -> None:
        """A device did not listen: these return to the queue."""
        for pending in self._pending.of(attachment.known):
            if pending.command.id in commands and pending.command.state is CommandState.SENT:
                self._pending.return_to_queue(pending)

    def removed(self, known: KnownDevice) -> None:
        """A device is no more, and its commands with it."""
        self._pending.drop(known)

    def result(self, attachment: DeviceLink, message: messages.Result) -> None:
        """A device said what became of a command."""
        pending = self._pending.get(message.id)
        if pending is None or pending.device is not attachment.known or pending.command.state.final:
            self.log.debug(
                "{name} answers command {id}, which nobody waits for", name=attachment.known.name, id=message.id
            )
        elif message.state is messages.ResultState.RECEIVED:
            self._pending.received(pending)
        elif message.state is messages.ResultState.FAILED:
            self._pending.change(pending, CommandState.FAILED, error=message.error or "the device gave no reason")
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
        pending = self._pending.watch(known, await self._recorded(known, command), args)
        text = f"{actor} gave {known.name} the command {offer.name}"
        self._events.note(EventKind.COMMAND_GIVEN, actor, known.name, text, command=pending.command.id)
        self._subscribers.publish(CommandEvent(pending.command))
        self._pending.feed(known)
        if timeout:
            await self._ended(pending, timeout)
        return pending.command

    async def _recorded(self, known: KnownDevice, command: Command) -> Command:
        self._being_recorded[known.id] += 1
        try:
            recorded = await self._records.add(known, command)
        finally:
            self._being_recorded[known.id] -= 1
        if self._devices.find(known.id) is None:
            raise UnknownCommand(f"{known.name} was removed")
        return msgspec.structs.replace(recorded, device=known.name)  # it may have been renamed meanwhile

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

    def _done(self, pending: PendingCommand, result: Any) -> None:
        fault = _fault_of(result)
        if fault is None:
            self._pending.change(pending, CommandState.DONE, result=result)
        else:
            self._pending.change(pending, CommandState.FAILED, error=f"the device's result {fault}")


def _check_may_wait(known: KnownDevice, offer: CommandOffer, lifetime: float) -> None:
    if lifetime <= 0:
        raise DeviceOffline(known.name)
    for argument in offer.arguments:
        if argument.type is ArgumentType.SECRET:
            problem = "is a secret, which is not kept: send the command while the device is online"
            raise ArgumentsError({argument.name: problem})


def _fault_of(result: Any) -> str | None:
    """Why a result cannot be kept and shown; None where it can."""
    if _deeper_than(MAX_DEPTH, result):
        return f"is nested more than {MAX_DEPTH} deep"
    try:
        size = len(msgspec.json.encode(result))
    except (TypeError, ValueError, OverflowError):
        return "cannot be shown as JSON"
    return f"is {size} bytes; the limit is {MAX_RESULT}" if size > MAX_RESULT else None


def _deeper_than(depth: int, value: Any) -> bool:
    if not isinstance(value, (list, tuple, dict)):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return depth == 0 or any(_deeper_than(depth - 1, one) for one in inner)


def _without_secrets(offer: CommandOffer, args: Mapping[str, Any]) -> dict[str, Any]:
    secret = {argument.name for argument in offer.arguments if argument.type is ArgumentType.SECRET}
    return {name: HIDDEN if name in secret else value for name, value in args.items()}


def _offered(known: KnownDevice, name: str, args: Mapping[str, Any]) -> tuple[CommandOffer, dict[str, Any]]:
    """The command as the device offers it, and the arguments to call it with. Raises ``UnknownCommand`` and
    ``ArgumentsError``."""
    offer = known.command(name)
    if offer is not None:
        return offer, check_arguments(offer, args)
    if known.linked and known.attachment.takes_any:
        return CommandOffer(name), dict(args)
    raise UnknownCommand(f"{known.name} offers no command {name}")
