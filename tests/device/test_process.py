"""The agent as its owner meets it: the programs ``iotdevice`` and ``twistd iotdevice``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.python.failure import Failure

from iotcenter.wire.messages import Busy, Hello, Report, Result, ResultState
from iotcenter.wire.messages import Command as Order
from iotcenter.wire.token import Token
from iotdevice.credentials import save_credentials
from iotdevice.lock import DataLock
from tests.device.authority import DEVICE
from tests.device.server import SmallCenter
from tests.device.support import ReactorCase, the_reactor

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'device'}", "STATE_DIRECTORY": ""}
CLI = ("-c", "import sys; from iotdevice.cli import main; sys.exit(main())")
TWISTD = ("-c", "from twisted.scripts.twistd import run; run()")

JOURNAL = """
import os
from pathlib import Path
from iotdevice import App

app = App()
journal = Path(__file__).with_name("journal")

@app.sensor(every=0.05)
def count():
    made = journal.read_text().split() if journal.exists() else []
    value = len(made) + 1
    with journal.open("a") as file:
        file.write(f"{value}\\n")
    return value
"""
"""A sensor that writes down each value before it returns it; values are never used twice, over all starts of the
agent."""


class Running(ProcessProtocol):
    """A process that runs until it is killed; what it prints is kept."""

    def __init__(self) -> None:
        self.output = b""
        self.ended: Deferred[int | None] = Deferred()

    def outReceived(self, data: bytes) -> None:
        """It printed something."""
        self.output += data

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        """It is gone."""
        value: Any = reason.value
        self.ended.callback(value.exitCode)

    def signal(self, name: str) -> Deferred[int | None]:
        """Send it a signal; fires with its exit status when it is gone, None where the signal killed it."""
        transport: Any = self.transport
        transport.signalProcess(name)
        return self.ended


class ProcessCase(ReactorCase):
    """A center on a real port, and programs that are run as their users run them."""

    def setUp(self) -> None:
        self.net = the_reactor()
        self.center = SmallCenter()
        self.center.listen()
        self.addCleanup(self.center.stop)
        self.place = self.folder()
        self.directory = self.place / "data"

    async def run_cli(self, *arguments: str, stdin: bytes | None = None) -> tuple[str, str, int]:
        """What ``iotdevice ...`` prints, to standard output and error, and its exit status."""
        out, err, status = await getProcessOutputAndValue(
            sys.executable, (*CLI, *arguments), env=ENVIRONMENT, path=str(self.place), stdinBytes=stdin
        )
        return out.decode(), err.decode(), status

    async def run_twistd(self, *arguments: str) -> tuple[str, int]:
        """What a ``twistd -n iotdevice ...`` that ends by itself prints, and its exit status."""
        command = (*TWISTD, "-n", "--pidfile=", "iotdevice", *arguments)
        out, err, status = await getProcessOutputAndValue(
            sys.executable, command, env=ENVIRONMENT, path=str(self.place)
        )
        return (out + err).decode(), status

    def start(self) -> Running:
        """Start the agent."""
        running = Running()
        command = [sys.executable, *TWISTD, "-n", "--pidfile=", "iotdevice", "--data", str(self.directory)]
        self.net.spawnProcess(running, sys.executable, command, env=ENVIRONMENT, path=str(self.place))
        self.addCleanup(lambda: None if running.ended.called else running.signal("KILL"))
        return running

    async def until(self, condition: Callable[[], Any]) -> Any:
        """What ``condition`` gives once it is true."""
        return await self.center.until(condition)

    def token(self, secret: bytes = b"s" * 16) -> str:
        """What the center gave the device."""
        return Token("127.0.0.1", self.center.port, self.center.authority.fingerprint, secret).text()

    def enroll(self, app: str = "", settings: str = "") -> None:
        """Make the data directory an enrolled device's."""
        self.directory.mkdir()
        save_credentials(self.directory, self.center.authority.credentials())
        (self.directory / "iotdevice.toml").write_text(f'server = "{self.center.address}"\n{settings}')
        if app:
            (self.directory / "app.py").write_text(app)


class EnrollTests(ProcessCase):
    """``iotdevice enroll``."""

    async def test_enroll(self) -> None:
        """It says who the device is now; the token may come from standard input, where no list of processes shows
        it."""
        token = self.token().encode()
        out, err, status = await self.run_cli("enroll", "-", "--data", "data", "--start-app", stdin=token)
        self.assertEqual((err, status), ("", 0))
        first, second = out.splitlines()
        self.assertEqual(first, f"Enrolled as kitchen-pi at 127.0.0.1:{self.center.port}.")
        self.assertEqual(second, f"The application to start from is {self.directory / 'app.py'}.")
        self.assertEqual(self.directory.stat().st_mode & 0o777, 0o700)
        out, _, status = await self.run_cli("status", "--data", "data")
        self.assertEqual(status, 0)
        self.assertIn(f"(id {DEVICE})", out)
        self.assertIn("Agent        not running", out)

    async def test_again(self) -> None:
        """A device that is enrolled stays what it is, unless its owner says otherwise."""
        self.enroll()
        before = (self.directory / "identity.pem").read_bytes()
        out, err, status = await self.run_cli("enroll", self.token(), "--data", "data")
        self.assertEqual((out, status), ("", 1))
        self.assertIn("this device is enrolled already", err)
        self.assertEqual((self.directory / "identity.pem").read_bytes(), before)
        _, err, status = await self.run_cli("enroll", self.token(), "--data", "data", "--replace")
        self.assertEqual((err, status), ("", 0))
        self.assertNotEqual((self.directory / "identity.pem").read_bytes(), before)

    async def test_refused(self) -> None:
        """Every refusal is one line on standard error, and exit status 1."""
        self.directory.mkdir()
        lock = DataLock(self.directory)
        self.addCleanup(lock.release)
        _, err, status = await self.run_cli("enroll", self.token(), "--data", "data")
        self.assertEqual((err, status), (f"iotdevice: {self.directory} is in use by process {os.getpid()}\n", 1))
        for token, data, problem in (
            ("nonsense", "other", "that is not an enrollment token"),
            (self.token(b"x" * 16), "other", "the token was used already"),
            (self.token(), "/proc/nowhere", "/proc/nowhere cannot be written"),
        ):
            _, err, status = await self.run_cli("enroll", token, "--data", data)
            self.assertEqual((len(err.splitlines()), status), (1, 1), err)
            self.assertIn(problem, err)

    async def test_status_of_nothing(self) -> None:
        """A directory that is no device's is called that."""
        _, err, status = await self.run_cli("status", "--data", "data")
        self.assertEqual(
            (err, status),
            (f"iotdevice: {self.directory} is not enrolled: run iotdevice enroll TOKEN --data {self.directory}\n", 1),
        )


class DaemonTests(ProcessCase):
    """``twistd -n iotdevice``."""

    async def test_not_enrolled(self) -> None:
        """A device that is not enrolled is told what to do, in one line."""
        output, status = await self.run_twistd("--data", "data")
        self.assertEqual(status, 1)
        self.assertEqual(
            output, f"iotdevice: {self.directory} is not enrolled: run iotdevice enroll TOKEN --data {self.directory}\n"
        )

    async def test_wrong_setting(self) -> None:
        """A wrong setting is named, in one line."""
        self.enroll(settings="heartbeat = -1\n")
        output, status = await self.run_twistd("--data", "data")
        self.assertEqual((status, len(output.splitlines())), (1, 1))
        self.assertIn("heartbeat: Expected `float` >= 0.0, found -1", output)

    async def test_example(self) -> None:
        """Without an application of its own the device runs the example: it measures this machine, and knows its
        name."""
        self.enroll()
        running = self.start()
        hello = await self.until(lambda: self.center.last(Hello))
        names = {series.name for series in hello.series}
        self.assertLessEqual({"load", "memory", "disk", "uptime", "network_in"}, names)
        self.assertEqual({command.name for command in hello.commands}, {"identify", "set_interval", "reboot"})
        await self.until(lambda: {"load", "memory", "disk"} <= {r.name for r in self.center.readings.values()})
        peer = self.center.peers[0]
        peer.send(Order(1, "identify", {"seconds": 1}), Order(2, "reboot"), Order(3, "set_interval", {"seconds": 5}))
        results = await self.until(self.all_answered)
        self.assertEqual(results[1].result, f"Here I am: {os.uname().nodename}")
        self.assertEqual((results[2].state, "allow_reboot = true" in results[2].error), (ResultState.FAILED, True))
        await self.until(lambda: all(series.every == 5 for series in self.center.last(Hello).series))
        output, status = await self.run_twistd("--data", "data")
        pid = running.transport.pid  # type: ignore[union-attr]
        self.assertEqual((output, status), (f"iotdevice: {self.directory} is in use by process {pid}\n", 1))
        out, _, _ = await self.run_cli("status", "--data", "data")
        self.assertIn(f"Agent        running, process {pid}", out)
        self.assertIn("Device       kitchen-pi", out)
        await running.signal("TERM")
        self.assertIn(b"Server Shut Down", running.output)
        self.assertNotIn(b"Traceback", running.output)

    def all_answered(self) -> dict[int, Result] | None:
        """The final results of three commands."""
        final = [m for m in self.center.received if isinstance(m, Result) and m.state is not ResultState.RECEIVED]
        return {result.id: result for result in final} if len(final) == 3 else None

    async def test_memory(self) -> None:
        """The agent fits a Raspberry Pi Zero."""
        self.enroll()
        running = self.start()
        await self.until(lambda: len(self.center.readings) > 5)
        pid = running.transport.pid  # type: ignore[union-attr]
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        print(pages * 4096 / 1e6)
        self.assertLess(pages * os.sysconf("SC_PAGESIZE") / 1e6, 64)
        await running.signal("TERM")

    async def test_killed(self) -> None:
        """Killed at any moment, whatever the server did meanwhile, an agent loses nothing and doubles nothing."""
        self.enroll(JOURNAL, '[spool]\nsync = "always"\n')
        silent: Callable[[Any, Report], None] = lambda peer, report: None  # noqa: E731
        busy: Callable[[Any, Report], None] = lambda peer, report: peer.send(Busy(report.boot, report.sequence, 1.0))  # noqa: E731
        unheard: Callable[[Any, Report], None] = lambda peer, report: self.center.keep(report)  # noqa: E731
        ends: list[int] = []
        for manner in (self.center.store, silent, busy, unheard):
            self.center.answers[Report] = manner
            self.center.received.clear()
            running = self.start()
            await self.until(lambda: self.center.last(Report))
            await deferLater(self.net, 0.7)
            self.assertIsNone(await running.signal("KILL"), running.output)
            ends.append(self.made())
        self.center.answers[Report] = self.center.store
        running = self.start()
        await self.until(lambda: self.values() and max(self.values()) > ends[-1] + 10)
        await running.signal("TERM")
        self.check(ends)

    def made(self) -> int:
        """The last value that the application wrote down."""
        return len((self.directory / "journal").read_text().split())

    def values(self) -> list[float]:
        """The values that the server has."""
        return [reading.value for reading in self.center.readings.values()]

    def check(self, ends: list[int]) -> None:
        """No value came twice under different numbers, and none is missing but the last of each start."""
        values = self.values()
        self.assertEqual(len(values), len(set(values)))
        missing = set(range(1, int(max(values)) + 1)) - set(values)
        excused = {end - back for end in ends for back in range(8)}
        self.assertLessEqual(missing, excused, "only what was not on its way to the disk yet may be lost")
