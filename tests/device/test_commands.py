"""The server's commands: each takes effect once, and gets its answer."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from twisted.internet.defer import Deferred

from iotcenter.wire.messages import MAX_COMMANDS, Command, Result, ResultState
from iotdevice import App, CommandError, Limits, Secret, Upload
from iotdevice.commands import REMEMBERED, Commands
from iotdevice.config import SpoolSettings
from iotdevice.spool import FILE, Spool
from tests.device.support import START as NOW
from tests.device.support import Bench, Case, FakeChannel, HeldRuns, InlineRuns


class CommandCase(Case):
    """A device with some commands, its threads held by the test."""

    def setUp(self) -> None:
        self.path = self.folder() / FILE
        self.bench = Bench()
        self.runs: list[Any] = []
        self.app = App()
        self.app.command()(self.relay)
        self.app.command()(self.wifi)
        self.app.command()(self.answer)
        self.returned: Any = None
        self.start()

    def start(self) -> None:
        """Start the agent, for the first time or anew."""
        self.spool = Spool(self.path, "device", SpoolSettings(), lambda _: None)
        self.addCleanup(self.spool.close)
        self.spool.start("machine", NOW, NOW)
        self.threads = HeldRuns()
        known = self.spool.commands()
        self.commands = Commands(self.spool, known, InlineRuns(), self.threads, self.bench.steady, self.bench.log)
        self.commands.serve(self.app)
        self.channel = FakeChannel()
        self.commands.connected(self.channel)

    def relay(self, on: bool, seconds: Annotated[int, Limits(maximum=60)] = 0) -> str:
        """Switch something, and keep account of it."""
        self.runs.append((on, seconds))
        return "switched"

    def wifi(self, password: Secret) -> None:
        """Take a secret, and fail."""
        raise OSError("no radio")

    def answer(self) -> Any:
        """Return or raise what the test says."""
        if isinstance(self.returned, BaseException):
            raise self.returned
        return self.returned

    def failed(self, name: str, args: dict[str, Any], id: int = 1) -> str:
        """Why a command fails."""
        self.commands.received(Command(id, name, args))
        self.threads.finish()
        result = self.channel.take()[-1]
        self.assertEqual((result.id, result.state), (id, ResultState.FAILED))
        return str(result.error)


class CommandTests(CommandCase):
    """Commands."""

    def test_done(self) -> None:
        """A command is received at once, and done when its function has returned."""
        self.commands.received(Command(1, "relay", {"on": True}))
        self.assertEqual(self.channel.take(), [Result(1, ResultState.RECEIVED)])
        self.threads.step()
        self.assertEqual(self.channel.take(), [Result(1, ResultState.DONE, "switched")])
        self.assertEqual(self.runs, [(True, 0)])

    def test_uploads(self) -> None:
        """What a command uploads, in a thread or not, is marked as its result; what it returns of it is the name."""

        @self.app.command()
        def photo() -> Upload:
            return self.app.upload(b"x", "image/png")

        @self.app.command()
        async def film() -> Upload:
            return self.app.upload(b"x", name="film.bin")

        self.commands.received(Command(7, "photo"))
        self.threads.step()
        self.commands.received(Command(8, "film"))
        self.app.upload(b"x")
        done = [result.result for result in self.channel.of(Result) if result.state is ResultState.DONE]
        self.assertEqual(done, ["photo.png", "film.bin"])
        uploads, _ = self.app.uploads.take()
        self.assertEqual([upload.command for upload in uploads], [7, 8, 0])

    def test_twice(self) -> None:
        """The same command runs once; asked again, the device says what it said before."""
        for _ in range(3):
            self.commands.received(Command(1, "relay", {"on": True}))
        self.assertEqual(self.channel.take(), [Result(1, ResultState.RECEIVED)] * 3)
        self.threads.finish()
        self.commands.received(Command(1, "relay", {"on": True}))
        self.assertEqual(self.channel.take(), [Result(1, ResultState.DONE, "switched")] * 2)
        self.assertEqual(len(self.runs), 1)

    def test_without_link(self) -> None:
        """What ended while there was no link is answered when the server asks again."""
        self.commands.received(Command(1, "relay", {"on": True}))
        self.commands.disconnected()
        self.threads.finish()
        self.commands.connected(self.channel)
        self.channel.take()
        self.commands.received(Command(1, "relay", {"on": True}))
        self.assertEqual(self.channel.take(), [Result(1, ResultState.DONE, "switched")])

    def test_after_restart(self) -> None:
        """A command that was answered before the agent started anew is not run again: a reboot would never end."""
        self.commands.received(Command(1, "relay", {"on": True}))
        self.threads.finish()
        self.start()
        self.commands.received(Command(1, "relay", {"on": True}))
        self.assertEqual(self.channel.take(), [Result(1, ResultState.DONE, "switched")])
        self.assertEqual((len(self.runs), self.threads.waiting), (1, 0))

    def test_interrupted(self) -> None:
        """Nor is one that ran when the machine went down, though nobody knows how far it came."""
        self.commands.received(Command(1, "relay", {"on": True}))
        self.start()
        reason = self.failed("relay", {"on": True})
        self.assertEqual(reason, "the agent was stopped before the command had ended")
        self.assertEqual(self.runs, [])

    def test_damaged_answer(self) -> None:
        """Nor is one whose answer cannot be read any more: the disk damaged it."""
        self.commands.received(Command(1, "relay", {"on": True}))
        self.threads.finish()
        self.runs.clear()
        for damaged in (b"\xc1", msgspec.msgpack.encode(Result(1, ResultState.DONE, "?")).replace(b"?", b"\xff")):
            self.spool.answer(1, damaged)
            self.start()
            self.assertEqual(self.failed("relay", {"on": True}), "the command ran, and its answer was lost")
        self.assertEqual(self.runs, [])

    def test_known_before_it_runs(self) -> None:
        """Before a command has any effect, it is on disk that it was given."""
        disk = HeldRuns()
        self.commands = Commands(self.spool, {}, disk, self.threads, self.bench.steady, self.bench.log)
        self.commands.serve(self.app)
        self.commands.connected(self.channel)
        self.commands.received(Command(1, "relay", {"on": True}))
        self.assertEqual((self.threads.waiting, self.channel.sent), (0, []))
        disk.step()
        self.assertEqual((self.threads.waiting, self.spool.commands()), (1, {1: None}))

    def test_bounds(self) -> None:
        """Only the last commands are remembered, and only so many run at the same time."""
        for id in range(REMEMBERED + 10):
            self.commands.received(Command(id, "relay", {"on": True}))
            self.threads.finish()
        self.assertEqual(len(self.commands._results), REMEMBERED)
        self.assertEqual(len(self.spool.commands()), REMEMBERED)
        for id in range(1000, 1000 + MAX_COMMANDS):
            self.commands.received(Command(id, "relay", {"on": True}))
        self.channel.take()
        self.commands.received(Command(2000, "relay", {"on": True}))
        self.assertEqual(self.channel.take()[0].error, "16 commands are still running on the device")

    def test_arguments(self) -> None:
        """What the server checked is checked again: the device trusts nobody with its limits."""
        self.assertEqual(self.failed("relay", {"on": True, "seconds": 61}), "seconds: must be at most 60")
        self.assertEqual(self.failed("relay", {}, 2), "on: is needed")
        self.assertEqual(self.failed("relay", {"on": True, "off": 1}, 3), "off: there is no such argument")
        self.assertEqual(self.failed("explode", {}, 4), "the device offers no command explode")
        self.assertEqual(self.runs, [])

    def test_raises(self) -> None:
        """A function that raises fails the command in words, and leaves a line in the log that tells no secret."""
        reason = self.failed("wifi", {"password": "hunter2"})
        self.assertIn("OSError: no radio (test_commands.py, line ", reason)
        (line,) = self.bench.log.lines
        self.assertIn("error: The command wifi failed: OSError: no radio", line)
        self.assertNotIn("hunter2", line)

    def test_own_words(self) -> None:
        """CommandError says it in the application's own words."""
        self.returned = CommandError("the door is blocked")
        self.assertEqual(self.failed("answer", {}), "the door is blocked")
        self.returned = CommandError("\ud800" + "x" * 5000)
        self.assertEqual(self.failed("answer", {}, 2), "?" + "x" * 999)
        self.assertEqual(self.bench.log.lines, [])

    def test_exits(self) -> None:
        """A function that calls sys.exit() fails, and does not end the agent."""
        self.returned = SystemExit(1)
        self.assertIn("SystemExit: 1", self.failed("answer", {}))

    def test_bad_results(self) -> None:
        """What cannot be sent, or is too much, fails the command in words."""
        self.returned = object()
        self.assertIn("it returned an object, which cannot be sent", self.failed("answer", {}))
        self.returned = "x" * 70_000
        self.assertIn("it returned 70002 bytes; 65536 are allowed", self.failed("answer", {}, 2))

    def test_no_application(self) -> None:
        """While the application is not there, commands fail at once."""
        commands = Commands(self.spool, {}, InlineRuns(), self.threads, self.bench.steady, self.bench.log)
        commands.connected(self.channel)
        commands.received(Command(1, "relay", {"on": True}))
        self.assertEqual(self.channel.sent[-1].error, "the application on the device is not running")

    def test_disk_full(self) -> None:
        """Where nothing can be remembered the command runs all the same: it may be the one that makes room."""
        self.spool.close()
        self.spool._path = self.path / "nowhere"
        self.commands.received(Command(1, "relay", {"on": True}))
        self.threads.finish()
        self.assertEqual(self.runs, [(True, 0)])
        self.assertIn("A command cannot be remembered on disk", self.bench.log.lines[0])

    def test_stop(self) -> None:
        """A stopping agent waits a moment for what runs, and gives its answer; what hangs is left."""
        self.commands.received(Command(1, "relay", {"on": True}))
        self.commands.received(Command(2, "relay", {"on": False}))
        stopped = Deferred.fromCoroutine(self.commands.stop(2.0))
        self.threads.step()
        self.assertEqual(self.channel.sent[-1].state, ResultState.DONE)
        self.assertNoResult(stopped)
        self.bench.steady.advance(2)
        self.successResultOf(stopped)
        self.assertEqual(self.bench.steady.getDelayedCalls(), [])
        self.assertEqual(self.spool.commands()[2], None)
