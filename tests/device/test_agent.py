"""The agent as a whole, against a center on a real TLS port."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from iotcenter.model import AppState, LogLevel
from iotcenter.wire.messages import Busy, Close, Command, Hello, Log, Report, Result, ResultState
from iotdevice import config
from iotdevice.agent import Agent, Home
from iotdevice.clock import Clock
from iotdevice.config import load_settings
from iotdevice.credentials import load_credentials, save_credentials
from iotdevice.lock import DataLock
from iotdevice.version import AGENT
from tests.device.server import SmallCenter
from tests.device.support import ReactorCase, the_reactor

COUNTING = """
from iotdevice import App
app = App()
count = 0

@app.sensor(every=0.05, unit="Cel", label="Water")
def temperature() -> float:
    global count
    count += 1
    return count

@app.command(confirm=True)
def relay(on: bool, seconds: int = 0) -> str:
    '''Switch the relay.'''
    return f"{on} for {seconds}"

@app.command()
async def wait() -> None:
    from twisted.internet.defer import Deferred
    await Deferred()
"""


def enrolled(directory: Path, center: SmallCenter, app: str = COUNTING, settings: str = "") -> None:
    """Make ``directory`` that of a device of ``center``."""
    save_credentials(directory, center.authority.credentials())
    (directory / config.FILE).write_text(f'server = "{center.address}"\n{settings}')
    (directory / "app.py").write_text(app)


class AgentTests(ReactorCase):
    """The agent as a whole."""

    def setUp(self) -> None:
        self.center = SmallCenter()
        self.center.listen()
        self.addCleanup(self.center.stop)
        self.directory = self.folder()

    def start(self, app: str = COUNTING, settings: str = "") -> Agent:
        """Start an agent in a directory that is enrolled."""
        if not (self.directory / config.FILE).exists():
            enrolled(self.directory, self.center, app, settings)
        credentials = load_credentials(self.directory)
        assert credentials is not None
        home = Home(
            self.directory,
            DataLock(self.directory),
            load_settings(self.directory),
            credentials,
            self.directory / "app.py",
        )
        net = the_reactor()
        agent = Agent(home, net, Clock(net))
        agent.startService()
        self.addCleanup(lambda: agent.stopService() if agent.running else None)
        return agent

    async def until(self, condition: Callable[[], Any]) -> Any:
        """What ``condition`` gives once it is true."""
        return await self.center.until(condition)

    async def test_hello(self) -> None:
        """A device says what it is, what it measures and what it can be told, and then reports its readings."""
        self.start()
        await self.until(lambda: len(self.center.readings) > 3)
        hello = self.center.received[0]
        self.assertIsInstance(hello, Hello)
        self.assertEqual((hello.agent, hello.app), (AGENT, AppState.RUNNING))
        self.assertEqual(
            [(s.name, s.unit, s.label, s.every) for s in hello.series], [("temperature", "Cel", "Water", 0.05)]
        )
        self.assertEqual(
            [(c.name, c.help, c.confirm) for c in hello.commands],
            [("relay", "Switch the relay.", True), ("wait", "", False)],
        )
        keys = sorted(self.center.readings)
        self.assertEqual(keys, [(hello.boot, number) for number in range(1, len(keys) + 1)])
        self.assertEqual([self.center.readings[key].value for key in keys], [float(n) for n in range(1, len(keys) + 1)])

    async def test_command(self) -> None:
        """A command runs once, however often it comes, and its answer is given each time."""
        self.start()
        await self.until(lambda: self.center.readings)
        peer = self.center.peers[0]
        for _ in range(2):
            peer.send(Command(7, "relay", {"on": True}))
        done = Result(7, ResultState.DONE, "True for 0")
        await self.until(lambda: self.center.received.count(done) == 2 or self.center.last(Result) == done)
        answers = [message for message in self.center.received if isinstance(message, Result)]
        self.assertEqual(answers[0], Result(7, ResultState.RECEIVED))
        self.assertEqual(answers[-1], done)

    async def test_nothing_lost(self) -> None:
        """What a dead link did not deliver, and what was measured without one, comes over the next, once and in
        order."""
        self.start()
        self.center.answers[Report] = lambda peer, report: None
        await self.until(lambda: self.center.last(Report))
        await self.center.stop()
        self.center.answers[Report] = self.center.store
        self.center.received.clear()
        self.center.listen(self.center.port)
        await self.until(lambda: len(self.center.readings) > 20)
        numbers = sorted(number for _, number in self.center.readings)
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
        firsts = [report.sequence for report in self.center.received if isinstance(report, Report)]
        self.assertEqual(firsts, sorted(firsts))

    async def test_restart(self) -> None:
        """What the server does not have when the agent stops comes after its next start, under the old boot number."""
        agent = self.start()
        self.center.answers[Report] = lambda peer, report: None
        await self.until(lambda: self.center.last(Report))
        await agent.stopService()
        first = self.center.received[0].boot
        self.center.answers[Report] = self.center.store
        self.start()
        await self.until(lambda: any(boot > first for boot, _ in self.center.readings))
        old = sorted(number for boot, number in self.center.readings if boot == first)
        self.assertEqual(old, list(range(1, len(old) + 1)))
        self.assertGreater(len(old), 0)

    async def test_stop(self) -> None:
        """An agent that stops says so, though a command of its application never ends."""
        agent = self.start()
        await self.until(lambda: self.center.readings)
        self.center.peers[0].send(Command(1, "wait"))
        await self.until(lambda: self.center.last(Result))
        await agent.stopService()
        await self.until(lambda: self.center.last(Close))
        self.assertEqual(self.center.last(Close).code, "stopping")

    async def test_busy(self) -> None:
        """Readings that the server cannot store now come again after the pause that it asks for."""
        self.center.answers[Report] = lambda peer, report: peer.send(Busy(report.boot, report.sequence, 0.1))
        self.start()
        await self.until(lambda: self.center.last(Report))
        self.center.answers[Report] = self.center.store
        await self.until(lambda: len(self.center.readings) > 5)
        self.assertEqual(min(number for _, number in self.center.readings), 1)

    async def test_broken_app(self) -> None:
        """An application that misses a module is reported, and runs as soon as it is mended."""
        self.start("import wibble_wobble\n")
        hello = await self.until(lambda: self.center.last(Hello))
        self.assertEqual(hello.app, AppState.MISSING)
        self.assertEqual(hello.app_detail, "app.py needs the module wibble_wobble, which is not installed")
        log = await self.until(lambda: self.center.last(Log))
        self.assertEqual(log.lines[0].level, LogLevel.ERROR)
        (self.directory / "app.py").write_text(COUNTING)
        await self.until(lambda: self.center.readings)
        hello = await self.until(
            lambda: next((m for m in self.center.received if isinstance(m, Hello) and m.series), None)
        )
        self.assertEqual((hello.app, hello.app_detail), (AppState.RUNNING, ""))
        self.assertEqual(len(self.center.peers), 1)
