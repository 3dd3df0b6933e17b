"""The server's commands: each takes effect once, however often it comes, and gets its answer."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime

from iotcenter.model import LogLevel
from iotcenter.wire.arguments import ArgumentsError
from iotcenter.wire.errors import UNDECODABLE
from iotcenter.wire.messages import MAX_COMMANDS, Command, Result, ResultState
from iotdevice.app import App, CommandError, CommandFunction
from iotdevice.channel import Channel
from iotdevice.devicelog import DeviceLog
from iotdevice.errors import describe, file_of, printable
from iotdevice.spool import Spool, SpoolError
from iotdevice.upload import COMMAND
from iotdevice.values import BadValue, result_of
from iotdevice.workers import Runs, call

REMEMBERED = 64
"""How many commands are known again: a server repeats only those that it has no end of."""

_answers = msgspec.msgpack.Decoder(Result)


class Commands:
    """Runs commands, each once, and remembers the last of them on disk, so that one that restarts the machine is not
    run again."""

    def __init__(
        self,
        spool: Spool,
        known: Mapping[int, bytes | None],
        disk: Runs,
        threads: Runs,
        clock: IReactorTime,
        log: DeviceLog,
    ) -> None:
        self._spool = spool
        self._disk = disk
        self._threads = threads
        self._clock = clock
        self._log = log
        self._stopped = False
        self._app: App | None = None
        self._channel: Channel | None = None
        self._running: dict[int, Deferred[None]] = {}
        self._results = {id: _remembered(id, answer) for id, answer in known.items()}

    def serve(self, app: App) -> None:
        """Run the commands of ``app`` from now on."""
        self._app = app

    def received(self, command: Command) -> None:
        """The server gave a command, maybe not for the first time. A stopping agent leaves it for its next start."""
        if self._stopped:
            return
        if command.id in self._results:
            self._send(self._results[command.id])
        elif command.id in self._running:
            self._send(Result(command.id, ResultState.RECEIVED))
        elif len(self._running) >= MAX_COMMANDS:
            self._send(_failed(command.id, f"{MAX_COMMANDS} commands are still running on the device"))
        else:
            running = Deferred.fromCoroutine(self._run(command))
            if not running.called:
                self._running[command.id] = running

    def connected(self, channel: Channel) -> None:
        """See ``Speaker``: the server asks again for what it has no answer to."""
        self._channel = channel

    def writable(self) -> None:
        """See ``Speaker``: answers do not wait."""

    def disconnected(self) -> None:
        """See ``Speaker``."""
        self._channel = None

    async def stop(self, patience: float) -> None:
        """Take no more, and give what runs ``patience`` seconds to end: the one that stops the machine wants to
        answer."""
        self._stopped = True
        await DeferredList(self._running.values(), consumeErrors=True).addTimeout(patience, self._clock)

    async def _run(self, command: Command) -> None:
        try:
            await self._on_disk("remember", command.id, REMEMBERED)
            self._send(Result(command.id, ResultState.RECEIVED))
            result = await self._result(command)
        finally:
            self._running.pop(command.id, None)
        self._results[command.id] = result
        for id in list(self._results)[:-REMEMBERED]:
            del self._results[id]
        self._send(result)
        await self._on_disk("answer", command.id, msgspec.msgpack.encode(result))

    async def _result(self, command: Command) -> Result:
        """What becomes of ``command``: an answer, whatever happens."""
        try:
            offered = self._offered(command.name)
            arguments = offered.signature.bind(command.args)
        except (CommandError, ArgumentsError) as error:
            return _failed(command.id, str(error))
        COMMAND.set(command.id)
        try:
            returned = await call(self._threads, offered.function, **arguments)
            return Result(command.id, ResultState.DONE, result_of(returned))
        except CommandError as error:
            return _failed(command.id, str(error))
        except BadValue as error:
            return self._fault(command, f"it returned {error}")
        except GeneratorExit:
            raise
        except BaseException as error:
            if self._stopped and isinstance(error, CancelledError):
                raise
            return self._fault(command, describe(error, file_of(offered.function)))

    def _offered(self, name: str) -> CommandFunction:
        if self._app is None:
            raise CommandError("the application on the device is not running")
        if name not in self._app.commands:
            raise CommandError(f"the device offers no command {name}")
        return self._app.commands[name]

    def _fault(self, command: Command, text: str) -> Result:
        self._log.say(f"The command {command.name} failed: {text}", LogLevel.ERROR)
        return _failed(command.id, text)

    def _send(self, result: Result) -> None:
        if self._channel is not None:
            self._channel.send(result)

    async def _on_disk(self, method: str, *arguments: object) -> None:
        """Where the disk takes nothing the command runs all the same: it may be what makes room."""
        try:
            await self._disk.run(getattr(self._spool, method), *arguments)
        except SpoolError as error:
            self._log.say(f"A command cannot be remembered on disk: {error}", LogLevel.WARNING)


def _failed(id: int, error: str) -> Result:
    return Result(id, ResultState.FAILED, error=printable(error))


def _remembered(id: int, answer: bytes | None) -> Result:
    """The answer to a command of an earlier start of the agent."""
    if answer is None:
        return _failed(id, "the agent was stopped before the command had ended")
    try:
        return _answers.decode(answer)
    except UNDECODABLE:
        return _failed(id, "the command ran, and its answer was lost")
