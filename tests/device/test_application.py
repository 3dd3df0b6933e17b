"""The application as it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any, cast

from twisted.internet.interfaces import IReactorFromThreads

from iotcenter.model import AppState, Series, Value
from iotdevice import App
from iotdevice.app import MAX_MAIL
from iotdevice.application import Application
from iotdevice.config import Settings
from iotdevice.health import Health
from iotdevice.loader import LOOK_EVERY, RETRY, SLOW, AppFault, Loader, load_app
from iotdevice.outbox import Outbox
from tests.device.support import Bench, Case, HeldRuns, InlineRuns


class FakeReactor:
    """Takes calls from threads, for the test to make."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def callFromThread(self, function: Callable[..., None], *arguments: Any) -> None:
        """Keep the call."""
        self.calls.append(lambda: function(*arguments))

    def turn(self) -> None:
        """Make all calls."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class FakeOutbox:
    """Takes readings."""

    def __init__(self) -> None:
        self.readings: list[tuple[str, Value]] = []
        self.lost = 0

    def add(self, name: str, value: Value) -> None:
        """Keep one."""
        self.readings.append((name, value))

    def lose(self, count: int) -> None:
        """Count some."""
        self.lost += count


class ApplicationTests(Case):
    """The application as it runs."""

    def setUp(self) -> None:
        self.bench = Bench()
        self.reactor = FakeReactor()
        self.outbox = FakeOutbox()
        self.app = App()
        self.changes = 0
        self.app.sensor(every=10, unit="Cel", name="water")(lambda: 1.0)
        self.application = Application(
            self.app,
            Settings(server="x", allow_reboot=True),
            cast(IReactorFromThreads, self.reactor),
            self.bench.stage(InlineRuns(), Health(self.change)),
            cast(Outbox, self.outbox),
            self.change,
        )

    def change(self) -> None:
        """Something is another."""
        self.changes += 1

    def start(self) -> None:
        """Run it."""
        self.application.start()
        self.addCleanup(self.application.stop)
        self.reactor.turn()

    def test_settings(self) -> None:
        """The application can read the device's settings."""
        self.assertTrue(self.app.settings.allow_reboot)

    def test_series(self) -> None:
        """The server learns the sensors' rhythms with their series."""
        self.assertEqual(self.application.series, (Series("water", unit="Cel", every=10.0),))

    def test_before_start(self) -> None:
        """What the application says while it is loaded is not lost."""
        self.app.log("loading", "warning")
        self.app.report("door", "open")
        self.start()
        self.assertEqual(self.bench.log.lines, ["warning: loading"])
        self.assertIn(("door", "open"), self.outbox.readings)

    def test_report(self) -> None:
        """A value that comes by itself declares its series when it first comes."""
        self.start()
        self.app.report("door", True, label="Front door")
        self.app.report("door", False)
        self.reactor.turn()
        self.assertEqual(self.outbox.readings[-2:], [("door", True), ("door", False)])
        self.assertEqual(self.application.series[1:], (Series("door", label="Front door"),))
        self.assertEqual(self.changes, 1)

    def test_report_of_a_sensor(self) -> None:
        """A sensor's series may be reported out of turn too."""
        self.start()
        self.app.report("water", 3)
        self.reactor.turn()
        self.assertEqual(self.outbox.readings, [("water", 1.0), ("water", 3.0)])
        self.assertEqual(len(self.application.series), 1)

    def test_bad_reports(self) -> None:
        """A report that cannot be is refused with a line in the log."""
        self.start()
        self.app.report("no good", 1)
        self.app.report("door", [])
        self.app.report("door2", 1, unit="furlongs per fortnight")
        self.app.report("door3", 1, label="\ud800")
        self.reactor.turn()
        said = "\n".join(self.bench.log.lines)
        self.assertIn("app.report: 'no good' cannot be a series' name", said)
        self.assertIn("app.report: 'door' is a list, which is no number", said)
        self.assertIn("app.report: 'door2' was declared wrongly: Expected `str` of length <= 16", said)
        self.assertIn("app.report: 'door3' was declared wrongly", said)
        self.assertEqual(len(self.outbox.readings), 1)
        self.assertEqual(len(self.application.series), 1)

    def test_too_many_series(self) -> None:
        """A loop over ever new names is stopped where a greeting would not fit."""
        self.start()
        for number in range(300):
            self.app.report(f"s{number}", number)
        self.reactor.turn()
        self.assertEqual(len(self.application.series), 256)
        self.assertIn("a device may have at most 256 series", self.bench.log.lines[0])

    def test_threads(self) -> None:
        """Reports from many threads all arrive, and the reactor is woken once for many."""
        self.start()

        def work(number: int) -> None:
            for _ in range(100):
                self.app.report(f"t{number}", 1)

        threads = [Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(self.reactor.calls), 1)
        self.reactor.turn()
        self.assertEqual(len(self.outbox.readings), 801)

    def test_flood(self) -> None:
        """What came faster than it could be taken is counted as lost, and said."""
        self.start()
        for _ in range(MAX_MAIL + 5):
            self.app.report("x", 1)
        self.reactor.turn()
        self.assertEqual(self.outbox.lost, 5)
        self.assertIn("5 reports and lines came faster", self.bench.log.lines[0])

    def test_interval(self) -> None:
        """The application may change its sensors' rhythm; the server learns it."""
        self.start()
        self.app.interval(2)
        self.reactor.turn()
        self.bench.steady.pump([1] * 4)
        self.assertEqual(len(self.outbox.readings), 4)
        self.assertEqual(self.application.series[0].every, 2.0)
        self.app.interval(5, "water")
        self.reactor.turn()
        self.assertEqual(self.application.series[0].every, 5.0)
        self.assertEqual(self.changes, 2)

    def test_stop(self) -> None:
        """What was said last is taken, and after that nothing is, and nothing is left behind."""
        self.start()
        self.app.log("last words")
        self.application.stop()
        self.app.log("ghost")
        self.reactor.turn()
        self.assertEqual(self.bench.log.lines, ["info: last words"])
        self.assertEqual(self.bench.steady.getDelayedCalls(), [])


class LoadTests(Case):
    """Loading an application's file."""

    def load(self, text: str) -> App:
        """The application in a file with ``text``."""
        path = self.folder() / "app.py"
        path.write_text(text)
        return load_app(path)

    def test_good(self) -> None:
        """A file that makes an App named ``app`` is an application; it may import what lies beside it."""
        folder = self.folder()
        (folder / "my_helper_of_the_test.py").write_text("NAME = 'water'\n")
        path = folder / "app.py"
        path.write_text(
            "from iotdevice import App\nfrom my_helper_of_the_test import NAME\n"
            "app = App()\napp.sensor(every=1, name=NAME)(lambda: 1)\n"
        )
        self.addCleanup(sys.path.remove, str(folder))
        self.assertEqual(list(load_app(path).sensors), ["water"])

    def test_faults(self) -> None:
        """Whatever is wrong with the file is said in one line, with the place."""
        for text, state, problem in (
            ("x = ", AppState.FAILED, "SyntaxError: invalid syntax (app.py, line 1)"),
            ("\nimport nowhere_to_be_found", AppState.MISSING, "app.py needs the module nowhere_to_be_found"),
            ("\n1 / 0", AppState.FAILED, "ZeroDivisionError: division by zero (app.py, line 2)"),
            ("import sys; sys.exit(3)", AppState.FAILED, "SystemExit: 3 (app.py, line 1)"),
            ("x = 1", AppState.FAILED, "app.py makes no App: it needs the line app = App()"),
            ("app = 5", AppState.FAILED, "app.py makes no App"),
            (
                "from iotdevice import App\napp = App()\n@app.command()\ndef relay(on): pass",
                AppState.FAILED,
                "DeclarationError: relay: argument 'on' needs an annotation, such as on: bool (app.py, line 3)",
            ),
        ):
            with self.assertRaises(AppFault) as error:
                self.load(text)
            self.assertEqual(error.exception.state, state)
            self.assertIn(problem, str(error.exception))

    def test_too_much(self) -> None:
        """An application that declares more than a greeting may hold is told so, instead of never getting a link."""
        helps = "x" * 1000
        text = "from iotdevice import App\napp = App()\n"
        for number in range(64):
            text += f"@app.command()\ndef work_{number}(): {helps!r}\n"
        self.load(text)
        with self.assertRaises(AppFault) as error:
            self.load(text.replace("(): ", "(a: int = 1): 'a: " + helps + "'; "))
        self.assertIn("app.py declares", str(error.exception))

    def test_missing(self) -> None:
        """A file that is not there is missing."""
        with self.assertRaises(AppFault) as error:
            load_app(Path("/nowhere/app.py"))
        self.assertEqual(error.exception.state, AppState.MISSING)
        self.assertEqual(str(error.exception), "there is no file /nowhere/app.py")


class LoaderTests(Case):
    """Loading it as often as it takes."""

    def setUp(self) -> None:
        self.bench = Bench()
        self.threads = HeldRuns()
        self.health = Health(lambda: None)
        self.path = self.folder() / "app.py"
        self.loaded: list[App] = []
        self.loader = Loader(self.path, self.bench.stage(self.threads, self.health))
        self.loader.start(self.loaded.append)
        self.addCleanup(self.loader.stop)

    def write(self, text: str) -> None:
        """The owner edits the file."""
        self.path.write_text(text)

    def test_retry(self) -> None:
        """A file that fails is tried again every 30 s; the log says why once."""
        for _ in range(5):
            self.threads.step()
            self.bench.steady.pump([1] * int(RETRY - 1))
            self.assertEqual(self.threads.waiting, 0)
            self.bench.steady.advance(1)
        self.assertEqual(self.bench.log.lines, [f"error: The application: there is no file {self.path}"])
        self.assertEqual(self.health.state, AppState.MISSING)
        self.write("from iotdevice import App\napp = App()")
        self.threads.step()
        self.assertEqual(len(self.loaded), 1)
        self.assertEqual(self.health.state, AppState.RUNNING)
        self.assertEqual(self.bench.log.lines[1], "info: The application works again, after 5 failures")
        self.assertEqual(self.bench.steady.getDelayedCalls(), [])

    def test_changed(self) -> None:
        """A file that is mended is tried at once."""
        self.threads.step()
        self.write("from iotdevice import App\napp = App()")
        self.bench.steady.advance(LOOK_EVERY)
        self.threads.step()
        self.assertEqual(len(self.loaded), 1)

    def test_hangs(self) -> None:
        """A file that never ends is reported, and tried again when it is changed."""
        self.bench.steady.advance(SLOW)
        self.assertEqual(self.health.state, AppState.HUNG)
        self.assertIn("app.py has not been loaded after 30 s: does it end?", self.bench.log.lines[0])
        self.write("from iotdevice import App\napp = App()")
        self.bench.steady.advance(LOOK_EVERY)
        self.bench.steady.advance(0)
        self.threads.finish()
        self.assertEqual(len(self.loaded), 1)

    def test_slow(self) -> None:
        """A file that takes long is taken all the same."""
        self.write("from iotdevice import App\napp = App()")
        self.loader._stamp = self.loader._modified()
        self.bench.steady.advance(SLOW)
        self.bench.steady.pump([1] * 60)
        self.threads.step()
        self.assertEqual((len(self.loaded), self.health.state), (1, AppState.RUNNING))
        self.assertEqual(self.bench.steady.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """A loader that is stopped leaves nothing behind."""
        self.loader.stop()
        self.threads.finish()
        self.assertEqual((self.loaded, self.bench.steady.getDelayedCalls()), ([], []))
