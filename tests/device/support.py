"""What the tests of the agent share: a link, a disk and threads that do what the test says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet import task
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from iotcenter.model import LogLevel, Message
from iotdevice.clock import Clock
from iotdevice.devicelog import DeviceLog
from iotdevice.health import Health
from iotdevice.stage import Stage
from iotdevice.workers import Runs

T = TypeVar("T")
M = TypeVar("M", bound=Message)

START = 1_700_000_000.0
"""What the wall says when a test begins."""


def the_reactor() -> Any:
    """Twisted's reactor, which no module may import while it is loaded."""
    from twisted.internet import reactor

    return reactor


class FakeChannel:
    """A link that keeps what it is given."""

    def __init__(self) -> None:
        self.writable = True
        self.sent: list[Any] = []

    def send(self, message: Message) -> None:
        """Keep ``message``."""
        self.sent.append(message)

    def take(self) -> list[Any]:
        """What was sent since the last time."""
        taken, self.sent = self.sent, []
        return taken

    def of(self, kind: type[M]) -> list[M]:
        """Everything of one type that was sent and not taken."""
        return [message for message in self.sent if isinstance(message, kind)]


class InlineRuns:
    """Runs a function where it is asked to: no threads."""

    def run(self, function: Callable[..., T], *arguments: Any, **named: Any) -> Deferred[T]:
        """Call ``function`` now."""
        return maybeDeferred(function, *arguments, **named)


class HeldRuns:
    """Runs functions in order, when the test says so: a slow disk, or a thread that takes its time."""

    def __init__(self) -> None:
        self._jobs: list[tuple[Deferred[Any], Callable[[], Any]]] = []

    def run(self, function: Callable[..., T], *arguments: Any, **named: Any) -> Deferred[T]:
        """Keep the job for ``step``."""
        done: Deferred[T] = Deferred()
        self._jobs.append((done, lambda: function(*arguments, **named)))
        return done

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._jobs)

    def step(self) -> None:
        """Do the oldest job."""
        done, job = self._jobs.pop(0)
        if not done.called:
            maybeDeferred(job).chainDeferred(done)

    def finish(self) -> None:
        """Do all jobs, those too that come of it."""
        while self._jobs:
            self.step()


class Bench:
    """A clock, a wall clock beside it, and a device's log whose lines can be read."""

    def __init__(self) -> None:
        self.steady = task.Clock()
        self.wall = START
        self.clock = Clock(self.steady, lambda: self.wall + self.steady.seconds())
        self.log = RecordingLog(self.clock)

    def stage(self, threads: Runs, health: Health) -> Stage:
        """What the parts of an application run on."""
        return Stage(threads, self.clock, self.log, health)


class RecordingLog(DeviceLog):
    """A device's log whose lines a test can read, without draining it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.lines: list[str] = []

    def say(self, text: str, level: LogLevel = LogLevel.INFO) -> None:
        """Keep the line, and log it."""
        self.lines.append(f"{level}: {text}")
        super().say(text, level)


class Case(SynchronousTestCase):
    """A test with directories of its own."""

    def folder(self) -> Path:
        """A new directory."""
        path = Path(self.mktemp())
        path.mkdir(parents=True)
        return path.absolute()


class ReactorCase(TestCase):
    """The same, where the reactor runs."""

    def folder(self) -> Path:
        """A new directory."""
        path = Path(self.mktemp())
        path.mkdir(parents=True)
        return path.absolute()
