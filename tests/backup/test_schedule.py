"""Backups by themselves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.backup.schedule import AGAIN, HOUR, SOON, Schedule
from iotcenter.backup.workspace import WORKSPACE
from iotcenter.config import BackupSettings

NOW = 1_795_305_600.0


class Machine(Clock):
    """A reactor whose processes a test ends."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[tuple[Any, list[str]]] = []
        self.signals: list[str] = []
        self.advance(NOW)

    def spawnProcess(self, protocol: Any, executable: str, words: list[str], env: Any) -> None:
        """Pretend to start one."""
        self.processes.append((protocol, words))
        protocol.makeConnection(self)

    def signalProcess(self, signal: str) -> None:
        """One is sent a signal, of which it dies."""
        self.signals.append(signal)
        self.end(1)

    def end(self, status: int, said: bytes = b"") -> list[str]:
        """The process ends; what its command line was."""
        protocol, words = self.processes.pop()
        protocol.errReceived(said)
        protocol.processEnded(Failure(ProcessDone(0) if status == 0 else ProcessTerminated(status)))
        return words


class ScheduleTests(SynchronousTestCase):
    """Backups by themselves."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.machine = Machine()
        self.start()

    def start(self, configuration: Path | None = None, **more: Any) -> None:
        """A server with a schedule of a day."""
        settings = BackupSettings(**{"every": 24.0, "directory": str(self.folder), "keep": 2, **more})
        self.schedule = Schedule(self.machine, self.machine, Path("/data"), settings, configuration)
        self.schedule.startService()
        self.addCleanup(lambda: self.assertEqual(self.machine.getDelayedCalls(), []))
        self.addCleanup(self.schedule.stopService)

    def file(self, name: str, age: float) -> Path:
        """A file that was written so many seconds ago."""
        path = self.folder / name
        path.write_text("")
        os.utime(path, (NOW - age, NOW - age))
        return path

    def test_first(self) -> None:
        """The first is made soon after the start, in a process of its own, and the next a day later."""
        self.machine.advance(SOON)
        words = self.machine.end(0)
        self.assertEqual(words[1:6], ["-m", "iotcenter.cli", "--data", "/data", "backup"])
        self.assertRegex(words[6], rf"{self.folder}/iotcenter-\d{{8}}-\d{{6}}\.tar\.gz$")
        self.assertEqual(self.schedule.state, "ok")
        self.machine.advance(24 * HOUR - 1)
        self.assertEqual(self.machine.processes, [])
        self.machine.advance(1)
        self.machine.end(0)

    def test_restarts(self) -> None:
        """A server that is started anew goes on where it was."""
        self.schedule.stopService()
        self.file("iotcenter-20261121-100000.tar.gz", 20 * HOUR)
        self.start()
        self.machine.advance(4 * HOUR - 1)
        self.assertEqual(self.machine.processes, [])
        self.machine.advance(1)
        self.machine.end(0)

    def test_secret_and_configuration(self) -> None:
        """The passphrase is in a file, and nothing but its name is on the command line."""
        self.schedule.stopService()
        self.start(passphrase_file="/etc/secret", configuration=Path("/etc/iotcenter.toml"))
        self.machine.advance(SOON)
        words = self.machine.end(0)
        self.assertTrue(words[6].endswith(".tar.gz.age"))
        self.assertEqual(words[-4:], ["--passphrase-file", "/etc/secret", "--config", "/etc/iotcenter.toml"])

    def test_failed(self) -> None:
        """One that failed is logged with its reason, shown, and tried again."""
        self.machine.advance(SOON)
        self.machine.end(1, b"iotcenter: No space left on device\n")
        self.assertIn("No space left on device", self.schedule.state)
        self.machine.advance(AGAIN)
        self.machine.end(0)
        self.assertEqual(self.schedule.state, "ok")

    def test_keep(self) -> None:
        """The oldest go, and what a killed process left; other files stay."""
        for day in (18, 19, 20):
            self.file(f"iotcenter-202611{day}-100000.tar.gz", (22 - day) * 24 * HOUR)
        self.file("holiday.jpg", 1e6)
        left = self.folder / f"{WORKSPACE}abc"
        left.mkdir()
        os.utime(left, (NOW - 1e6, NOW - 1e6))
        self.machine.advance(SOON)
        self.machine.end(0)
        found = sorted(path.name for path in self.folder.iterdir())
        self.assertEqual(found, ["holiday.jpg", "iotcenter-20261119-100000.tar.gz", "iotcenter-20261120-100000.tar.gz"])

    def test_off(self) -> None:
        """Without a schedule nothing happens."""
        self.schedule.stopService()
        self.start(every=0.0, directory="")
        self.assertEqual((self.machine.getDelayedCalls(), self.schedule.state), ([], "off"))

    def test_stop(self) -> None:
        """A server that stops ends the process, and waits until it is gone."""
        self.machine.advance(SOON)
        stopped: Deferred[None] = self.schedule.stopService()
        self.assertEqual(self.machine.signals, ["INT"])
        self.successResultOf(stopped)
        self.assertEqual(self.machine.getDelayedCalls(), [])
