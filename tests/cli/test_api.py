"""How the command line finds its server, and what it makes of its answers."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

from iotcenter.cli import default_directory
from tests.cli.support import CommandLineCase, serve

STATUS = {
    "version": "1.0.0",
    "uptime": 7300.0,
    "devices": 3,
    "online": 2,
    "late": 0,
    "offline": 1,
    "storage": "ok",
    "transports": {"tls": 9998},
    "configuration": "",
    "backup": "ok",
    "disk": {"used": 3_100_000_000, "free": 21_400_000, "days": 214, "forecast": "full in 214 days"},
    "notices": [],
    "address": "https://192.168.1.20:8443",
    "fingerprint": "3fa1",
    "authority": "04e1",
}


class FindingTests(CommandLineCase):
    """Which server."""

    def test_none_runs(self) -> None:
        """Where no server runs there is one line that says how to start it, and status 1."""
        self.line("status", status=1)
        start = f"twistd -n iotcenter --data {self.directory}"
        self.assertEqual(self.error, f"iotcenter: No server is running on {self.directory}; start it with: {start}\n")

    def test_died(self) -> None:
        """A socket that a dead server left behind is no server."""
        serve(self.directory, self.script)()
        self.line("status", status=1)
        self.assertIn("No server is running", self.error)

    def test_deep_directory(self) -> None:
        """A data directory whose path is longer than that of a Unix socket may be is reached all the same."""
        deep = self.directory / ("d" * 60) / ("e" * 60)
        deep.mkdir(parents=True)
        self.answers("GET /api/v1/status", STATUS)
        self.start(deep)
        self.assertGreater(len(os.fsencode(deep)), 107)
        self.assertIn("1.0.0", self.line("--data", str(deep), "status"))
        self.assertIn("1.0.0", self.line("status", "--data", str(deep)))

    def test_another_users(self) -> None:
        """A directory that may not be entered is said to be somebody else's."""

        def refuse(*_: object) -> None:
            raise PermissionError

        self.patch(socket.socket, "connect", refuse)
        self.line("status", status=1)
        self.assertIn("belongs to another user", self.error)

    def test_default(self) -> None:
        """Without --data it is the directory that systemd gives, or the one here."""
        self.assertEqual(default_directory({"STATE_DIRECTORY": "/var/lib/iotcenter"}), Path("/var/lib/iotcenter"))
        self.assertEqual(default_directory({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}), Path("/var/lib/a"))
        self.assertEqual(default_directory({}), Path("iotcenter-data"))
        self.assertEqual(default_directory({"STATE_DIRECTORY": ""}), Path("iotcenter-data"))

    def test_wait(self) -> None:
        """``status --wait`` waits for a server that is just starting, and no longer than it was told."""
        self.answers("GET /api/v1/status", STATUS)
        self.line("status", "--wait", "0.1", status=1)
        starting = threading.Timer(0, self.start)
        starting.start()
        self.addCleanup(starting.join)
        self.assertIn("1.0.0", self.line("status", "--wait", "60"))


class AnswerTests(CommandLineCase):
    """What the server says."""

    def test_status(self) -> None:
        """The status says how the server fares, in lines."""
        self.answers("GET /api/v1/status", STATUS)
        self.start()
        status = self.line("status")
        self.assertIn("Started      2 h ago\n", status)
        self.assertIn("Devices      3 (2 online, 0 late, 1 offline)\n", status)

    def test_error(self) -> None:
        """An error of the API is one line in the server's words, and status 1."""
        self.answers("GET /api/v1/devices/attic", {"error": {"code": "x", "message": "there is no attic"}}, status=404)
        self.start()
        self.assertEqual(self.line("device", "show", "attic", "--json", status=1), "")
        self.assertEqual(self.error, "iotcenter: there is no attic\n")

    def test_no_api(self) -> None:
        """An error that is not the API's is said by its status."""
        self.answers("GET /api/v1/status", b"<h1>oops</h1>", status=502)
        self.start()
        self.line("status", status=1)
        self.assertEqual(self.error, "iotcenter: the server answered with 502 Bad Gateway\n")

    def test_quoted(self) -> None:
        """A name with a slash asks for that name, and for nothing else."""
        self.start()
        self.line("device", "show", "../users", status=1)
        self.assertEqual(self.script.asked, [("GET /api/v1/devices/..%2Fusers", None)])

    def test_usage(self) -> None:
        """A line that makes no sense gives status 2 and says how it goes."""
        self.line("device", "polish", status=2)
        self.assertIn("usage: iotcenter device", self.error)
        self.line("enroll", "kitchen-pi", "--lifetime", "soon", status=2)
        self.assertIn("'soon' is not a duration", self.error)
