"""The commands that something can still happen to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from iotcenter.center.events import Events
from iotcenter.center.known import KnownDevice
from iotcenter.center.records import CommandRecords
from iotcenter.center.subscribers import CommandEvent, Subscribers
from iotcenter.interfaces import Clock
from iotcenter.model import Command, CommandState, EventKind
from iotcenter.wire import messages
from iotcenter.wire.messages import MAX_COMMANDS

ANSWER_WITHIN = 30.0
"""Seconds that a device has at least to say that it received a command, though the command's time is nearly over."""

RUN_WITHIN = 86400.0
"""Seconds in which a command that was received must come to an end."""

WRITE_AGAIN = 5.0
"""Seconds after which an end that could not be written down is tried again: it must not be undone by a restart."""

EXPIRED = {
    CommandState.QUEUED: "the device did not come in time",
    CommandState.SENT: "the device did not answer in time",
    CommandState.RECEIVED: "the device received it, and never said what became of it",
}
"""Why a command expired, by the state that it was in."""


class PendingCommand:
    """A command under way: its record as it stands, the arguments for the device, and who waits for its end."""

    def __init__(self, device: KnownDevice, command: Command, args: Mapping[str, Any]) -> None:
        self.device = device
        self.command = command
        self.args = dict(args)
        self.timer: Any = None
        self.waiters: list[Deferred[None]] = []

    @property
    def under_way(self) -> bool:
        """Whether the device has it, or should."""
        return self.command.state in (CommandState.SENT, CommandState.RECEIVED)

    def stop(self) -> None:
        """Let go of the timer."""
        if self.timer is not None and self.timer.active():
            self.timer.cancel()
        self.timer = None

    def release(self, waiter: Deferred[None]) -> None:
        """Let somebody wait no longer."""
        if waiter in self.waiters:
            self.waiters.remove(waiter)
            waiter.callback(None)

    def end(self) -> None:
        """Nothing more will happen: tell those who wait."""
        self.stop()
        for waiter in tuple(self.waiters):
            self.release(waiter)


class PendingCommands:
    """Moves commands on: each change is told and written down, and each state has its time.

    A command stays here until its end is on disk: until then, who asks is answered from here.
    """

    log = Logger()

    def __init__(self, records: CommandRecords, subscribers: Subscribers, events: Events, clock: Clock) -> None:
        self._records = records
        self._events = events
        self._subscribers = subscribers
        self._clock = clock
        self._pending: dict[int, PendingCommand] = {}

    def get(self, id: int) -> PendingCommand | None:
        """The one with that number."""
        return self._pending.get(id)

    def of(self, known: KnownDevice) -> list[PendingCommand]:
        """Those of a device that have not ended, oldest first."""
        return [one for one in self.all_of(known) if not one.command.state.final]

    def all_of(self, known: KnownDevice) -> list[PendingCommand]:
        """Those of a device, oldest first: also those that have ended, and are not on disk yet."""
        return [one for _, one in sorted(self._pending.items()) if one.device is known]

    def watch(self, known: KnownDevice, command: Command, args: Mapping[str, Any]) -> PendingCommand:
        """Take a command on. One that was received has its time from then, any other until it expires."""
        pending = self._pending[command.id] = PendingCommand(known, command, args)
        running = command.state is CommandState.RECEIVED
        self._expire_at(pending, command.changed + RUN_WITHIN if running else command.expires)
        return pending

    def drop(self, known: KnownDevice) -> None:
        """Forget all of a device that is no more."""
        for pending in self.all_of(known):
            pending.end()
            del self._pending[pending.command.id]

    def clear(self) -> None:
        """Forget all; the records stay."""
        for pending in self._pending.values():
            pending.end()
        self._pending.clear()

    def feed(self, known: KnownDevice) -> None:
        """Send a device what waits for it, as much as it may have under way at a time."""
        waiting = [one for one in self.of(known) if not one.under_way] if known.linked else []
        places = MAX_COMMANDS - sum(one.under_way for one in self.of(known))
        for pending in waiting[: max(0, places)]:
            self.change(pending, CommandState.SENT)
            self._expire_at(pending, max(pending.command.expires, self._clock.seconds() + ANSWER_WITHIN))
            self.transmit(pending)

    def transmit(self, pending: PendingCommand) -> None:
        """Send a command, for the first time or again: the device knows it by its number."""
        command = messages.Command(pending.command.id, pending.command.name, pending.args)
        pending.device.attachment.link.send(command)

    def received(self, pending: PendingCommand) -> None:
        """The device has it."""
        self.change(pending, CommandState.RECEIVED)
        self._expire_at(pending, self._clock.seconds() + RUN_WITHIN)

    def return_to_queue(self, pending: PendingCommand) -> None:
        """The device went before it said that it has it."""
        self.change(pending, CommandState.QUEUED)
        self._expire_at(pending, pending.command.expires)

    def change(
        self, pending: PendingCommand, state: CommandState, result: Any = None, error: str | None = None
    ) -> None:
        """Put a command into ``state``: tell everybody, and write it down. An end makes room for the next one."""
        pending.command = msgspec.structs.replace(
            pending.command,
            device=pending.device.name,
            state=state,
            changed=self._clock.seconds(),
            result=result,
            error=error,
        )
        if state.final:
            pending.end()
            name, command = pending.device.name, pending.command
            text = f"{command.name} on {name}: {state}"
            self._events.note(EventKind.COMMAND_ENDED, name, name, text, command=command.id, state=state)
        self._subscribers.publish(CommandEvent(pending.command))
        self._write(pending)
        if state.final:
            self.feed(pending.device)

    def _expire_at(self, pending: PendingCommand, time: float) -> None:
        pending.stop()
        pending.timer = self._clock.callLater(max(0.0, time - self._clock.seconds()), self._expire, pending)

    def _expire(self, pending: PendingCommand) -> None:
        self.change(pending, CommandState.EXPIRED, error=EXPIRED[pending.command.state])

    def _write(self, pending: PendingCommand) -> None:
        writing = self._records.update(pending.command)
        writing.addCallbacks(
            self._written, self._not_written, callbackArgs=(pending, pending.command), errbackArgs=(pending,)
        )

    def _written(self, _: None, pending: PendingCommand, command: Command) -> None:
        if command.state.final:
            self._pending.pop(command.id, None)

    def _not_written(self, failure: Failure, pending: PendingCommand) -> None:
        command = pending.command
        if command.id not in self._pending:
            return
        self.log.warn("Command {id} was not written down: {why}", id=command.id, why=failure.getErrorMessage())
        if command.state.final:
            pending.timer = self._clock.callLater(WRITE_AGAIN, self._write, pending)
