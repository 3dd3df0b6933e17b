"""The display on a console."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.cli import display
from iotcenter.cli.api import Api
from iotcenter.cli.display import Board, Row
from tests.cli.support import CommandLineCase, Script, serve

NOW = 1_795_356_202.0


def device(value: Any = 21.5, state: str = "online") -> dict[str, Any]:
    """What the API says of the attic."""
    series = {
        "name": "temperature",
        "label": "Temperature",
        "unit": "Cel",
        "value": value,
        "decimals": 1,
        "every": 10.0,
    }
    return {"name": "attic", "state": state, "series": [{**series, "time": NOW - 3, "trend": "rising"}]}


class OnceTests(CommandLineCase):
    """``iotcenter display`` for programs."""

    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.answers("GET /api/v1/devices/attic", device())

    def test_json(self) -> None:
        """Each value that was asked for is told once, in the order asked; what there is not says so."""
        found = json.loads(self.line("display", "attic.wind", "attic.temperature", "cellar.x", "--json"))
        self.assertEqual([row["problem"] for row in found], ["it has no such value", "", "there is no such device"])
        self.assertEqual((found[1]["value"], found[1]["unit"], found[1]["trend"]), (21.5, "Cel", "rising"))

    def test_pipe(self) -> None:
        """Into a pipe it is a line each, once."""
        self.assertEqual(self.line("display", "attic.temperature"), "attic.temperature\t21.5 °C\trising\n")

    def test_everything(self) -> None:
        """Without arguments all values of all devices are shown, and nothing that a device sends acts on a terminal."""
        self.answers("GET /api/v1/devices", [device("\x1b[2J")])
        self.assertEqual(self.line("display"), "attic.temperature\t\\x1b[2J\trising\n")

    def test_no_server(self) -> None:
        """Where no server runs at the start it says so, and ends."""
        self.line("--data", str(self.directory / "elsewhere"), "display", status=1)
        self.assertIn("No server is running", self.error)


class BoardTests(CommandLineCase):
    """What stays on display."""

    def drawn(self, board: Board) -> str:
        """The display as a terminal has it."""
        output = StringIO()
        Console(file=output, width=100).print(board.drawn())
        return output.getvalue()

    def test_a_server_that_restarts(self) -> None:
        """While the server is away the values stay, marked as old; when it is back they go on."""
        script = Script({"GET /api/v1/devices/attic": (200, device())})
        stop = serve(self.directory, script)
        board = Board(Api(self.directory), ["attic.temperature"], lambda: NOW)
        board.look()
        self.assertRegex(self.drawn(board), r"attic +Temperature +21\.5 °C +▲ +3 s ago")
        stop()
        board.look()
        self.assertIn("21.5 °C", self.drawn(board))
        self.assertIn("does not answer", self.drawn(board))
        (self.directory / "control.sock").unlink()
        script.answers["GET /api/v1/devices/attic"] = (200, device(22.5))
        self.addCleanup(serve(self.directory, script))
        board.look()
        self.assertIn("22.5 °C", self.drawn(board))
        self.assertNotIn("does not answer", self.drawn(board))

    def test_nothing(self) -> None:
        """A server without values says that there are none."""
        self.start()
        self.answers("GET /api/v1/devices", [])
        board = Board(Api(self.directory), [])
        board.look()
        self.assertIn("no values yet", self.drawn(board))

    def test_interrupted(self) -> None:
        """On a terminal it goes on until Ctrl-C, which ends it well."""
        self.start()
        self.answers("GET /api/v1/devices/attic", device())
        turns: list[float] = []

        def pause(seconds: float) -> None:
            turns.append(seconds)
            if len(turns) == 3:
                raise KeyboardInterrupt

        self.patch(display._show, "__defaults__", (pause,))
        self.line("display", "attic.temperature", terminal=True)
        self.assertEqual(len([asked for asked in self.script.asked if "attic" in asked[0]]), 3)


class RowTests(SynchronousTestCase):
    """``Row``."""

    def test_stale(self) -> None:
        """A value is old when its device is gone, when it is overdue, and before it ever came."""
        row = Row("attic", "x", value=1.0, time=NOW, every=10.0, state="online")
        self.assertFalse(row.is_stale(NOW + 29))
        self.assertTrue(row.is_stale(NOW + 31))
        self.assertTrue(Row("attic", "x", value=1.0, time=NOW, state="offline").is_stale(NOW))
        self.assertTrue(Row("attic", "x", state="online").is_stale(NOW))
