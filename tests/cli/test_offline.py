"""Users where no server runs: each command line is a process of its own, since it runs a reactor."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.storage.lock import DataLock
from iotcenter.storage.store import FILE

PROGRAM = "from iotcenter.cli import main; main()"

PATIENCE = 60
"""Seconds after which a command line that should have ended is a failure."""


class OfflineTests(SynchronousTestCase):
    """``iotcenter user`` on a data directory that nobody serves."""

    def setUp(self) -> None:
        self.directory = Path(mkdtemp(prefix="iotcenter-offline-"))
        self.addCleanup(shutil.rmtree, self.directory)
        (self.directory / FILE).touch()

    def line(self, *words: str, typed: str = "", status: int = 0) -> str:
        """What a command line prints, or says on standard error where it fails."""
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "--data", str(self.directory), *words],
            env={"PYTHONPATH": ":".join(sys.path)},
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr if status else done.stdout

    def test_life_of_a_user(self) -> None:
        """A user is added, gets another password and role, is listed as the API lists them, and goes."""
        self.line("user", "add", "ada", "--role", "admin", "--password-stdin", typed="correct horse\n")
        self.line("user", "add", "bob", "--role", "viewer", "--password-stdin", typed="battery staple\n")
        self.line("user", "passwd", "bob", "--password-stdin", typed="another horse\n")
        changed = json.loads(self.line("user", "role", "bob", "operator", "--json"))
        self.assertEqual((changed["name"], changed["role"]), ("bob", "operator"))
        self.line("user", "remove", "bob")
        self.assertEqual([user["name"] for user in json.loads(self.line("user", "list", "--json"))], ["ada"])

    def test_refused(self) -> None:
        """What may not be is said in one line, as the server says it."""
        self.line("user", "add", "ada", "--role", "admin", "--password-stdin", typed="correct horse\n")
        last = self.line("user", "remove", "ada", status=1)
        self.assertTrue(last.startswith("iotcenter: "), last)
        self.assertEqual(last.count("\n"), 1)
        short = self.line("user", "passwd", "ada", "--password-stdin", typed="short\n", status=1)
        self.assertIn("10", short)
        self.assertNotIn(
            "Traceback", self.line("user", "passwd", "eve", "--password-stdin", typed="long enough\n", status=1)
        )

    def test_locked(self) -> None:
        """While another process holds the directory, nothing is done."""
        lock = DataLock.acquire(self.directory)
        self.addCleanup(lock.release)
        self.assertIn(f"uses the data directory {self.directory}", self.line("user", "list", status=1))

    def test_no_directory(self) -> None:
        """A directory that never held a server's data is not made into one."""
        (self.directory / FILE).unlink()
        self.assertIn("No server is running", self.line("user", "list", status=1))
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_other_commands(self) -> None:
        """Everything else needs a server."""
        self.assertIn("No server is running", self.line("device", "list", status=1))
