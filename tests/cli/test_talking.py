"""The commands that talk with a device: command, readings, logs."""

from __future__ import annotations

import json

from tests.cli.support import CommandLineCase

SENT = {"id": 7, "device": "kitchen-pi", "name": "relay", "state": "done", "result": "on", "error": None}
COMMANDS = "POST /api/v1/devices/kitchen-pi/commands"


class CommandTests(CommandLineCase):
    """``iotcenter command``."""

    def setUp(self) -> None:
        super().setUp()
        self.start()

    def test_done(self) -> None:
        """The arguments go out as they were typed, and the result comes back."""
        self.answers(COMMANDS, SENT)
        line = self.line("command", "kitchen-pi", "relay", "on=true", "label=a=b", "--timeout", "5", "--lifetime", "1h")
        self.assertEqual(line, "done: on\n")
        args = {"on": "true", "label": "a=b"}
        self.assertEqual(
            self.script.asked, [(COMMANDS, {"name": "relay", "args": args, "timeout": 5.0, "lifetime": 3600.0})]
        )

    def test_failed(self) -> None:
        """A command that fails says why, and makes the status 1, also with --json."""
        self.answers(COMMANDS, {**SENT, "state": "failed", "error": "the relay is stuck"})
        self.assertEqual(self.line("command", "kitchen-pi", "relay", status=1), "failed: the relay is stuck\n")
        self.assertEqual(json.loads(self.line("command", "kitchen-pi", "relay", "--json", status=1))["id"], 7)

    def test_waits(self) -> None:
        """A command that has no answer yet is said to have none."""
        self.answers(COMMANDS, {**SENT, "state": "queued", "result": None})
        self.assertEqual(self.line("command", "kitchen-pi", "relay"), "queued: there is no answer yet (command 7)\n")

    def test_bad_arguments(self) -> None:
        """Arguments that are not key=value, or come twice, never leave."""
        self.line("command", "kitchen-pi", "relay", "on", status=1)
        self.assertEqual(self.error, "iotcenter: 'on' is not of the form key=value\n")
        self.line("command", "kitchen-pi", "relay", "on=1", "on=0", status=1)
        self.assertEqual(self.script.asked, [])


class ReadingsTests(CommandLineCase):
    """``iotcenter readings``."""

    RAW = "device=kitchen-pi&series=temperature&from=now-1h&to=now"

    def setUp(self) -> None:
        super().setUp()
        self.start()

    def test_lines(self) -> None:
        """A reading is a line: its time with the offset, a tab, and its value."""
        self.answers(f"GET /api/v1/readings?{self.RAW}", {"t": [0.0, 60.0], "v": [21.5, None]})
        first, second = self.line("readings", "kitchen-pi", "temperature").splitlines()
        self.assertRegex(first, r"^19\d\d-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d\t21\.5$")
        self.assertTrue(second.endswith("\t"))

    def test_buckets(self) -> None:
        """Sums come with all their columns."""
        query = f"{self.RAW}&step=300.0&zone=UTC"
        columns = {"t": [0.0], "count": [5], "min": [1.0], "max": [2.5], "step": 300.0}
        self.answers(f"GET /api/v1/readings?{query}", columns)
        line = self.line("readings", "kitchen-pi", "temperature", "--step", "5m", "--zone", "UTC")
        self.assertEqual(line.strip().split("\t")[1:], ["5", "1.0", "2.5"])

    def test_csv(self) -> None:
        """CSV goes through untouched."""
        content = b"time,value\n" + b"2026-11-22T14:00:00+00:00,21.5\n" * 10000
        self.answers(f"GET /api/v1/readings.csv?{self.RAW}", content)
        self.assertEqual(self.line("readings", "kitchen-pi", "temperature", "--csv").encode(), content)

    def test_csv_and_json(self) -> None:
        """One of them."""
        self.line("readings", "kitchen-pi", "temperature", "--csv", "--json", status=1)
        self.assertEqual(self.script.asked, [])


class LogsTests(CommandLineCase):
    """``iotcenter logs``."""

    def test_order(self) -> None:
        """The newest line comes last, as in a log; a line of a device stays one line."""
        lines = [
            {"id": 2, "time": 60.0, "level": "error", "text": "two\nlines"},
            {"id": 1, "time": 0.0, "level": "info", "text": "x"},
        ]
        self.answers("GET /api/v1/devices/kitchen-pi/logs?limit=100", lines)
        self.start()
        first, second = self.line("logs", "kitchen-pi").splitlines()
        self.assertEqual(first.split("\t")[1:], ["info", "x"])
        self.assertEqual(second.split("\t")[1:], ["error", "two\\nlines"])
