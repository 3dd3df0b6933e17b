"""An application's sensors, whatever they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from iotcenter.model import AppState, Series, Value
from iotdevice.app import Sensor
from iotdevice.health import Health
from iotdevice.sensors import SensorLoop
from iotdevice.trouble import AGAIN, Trouble
from tests.device.support import Bench, Case, HeldRuns, InlineRuns


class SensorCase(Case):
    """One sensor, on a clock that the test moves."""

    def setUp(self) -> None:
        self.bench = Bench()
        self.changes = 0
        self.health = Health(self.change)
        self.readings: list[tuple[str, Value]] = []
        self.result: Any = 1.0
        self.calls: list[float] = []

    def change(self) -> None:
        """The state of the application is another."""
        self.changes += 1

    def measure(self) -> Any:
        """What the sensor's function does."""
        self.calls.append(self.bench.steady.seconds())
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result

    def loop(self, function: Callable[[], Any] | None = None, every: float = 10.0, runs: Any = None) -> SensorLoop:
        """The sensor, running."""
        sensor = Sensor("water", function or self.measure, every, (Series("water"),), False)
        loop = SensorLoop(sensor, self.bench.stage(runs or InlineRuns(), self.health), self.report)
        loop.start(every)
        self.addCleanup(loop.stop)
        return loop

    def report(self, name: str, value: Value) -> None:
        """Take a reading."""
        self.readings.append((name, value))

    def wait(self, seconds: float) -> None:
        """Time goes on."""
        self.bench.steady.pump([0.5] * int(seconds * 2))


class SensorTests(SensorCase):
    """An application's sensors."""

    def test_rhythm(self) -> None:
        """A sensor runs at once, and then on its interval."""
        self.loop()
        self.wait(30)
        self.assertEqual(self.calls, [0, 10, 20, 30])
        self.assertEqual(self.readings, [("water", 1.0)] * 4)

    def test_no_drift_no_overlap(self) -> None:
        """A function that takes its time is not called again before it has returned, and then on the old grid."""
        threads = HeldRuns()
        self.loop(runs=threads)
        self.wait(13)
        self.assertEqual(threads.waiting, 1)
        threads.step()
        self.wait(17)
        self.assertEqual(threads.waiting, 1)
        threads.step()
        self.assertEqual(self.calls, [13, 30])

    def test_async(self) -> None:
        """An ``async`` function runs on the reactor, and may wait for something there."""
        answer: Deferred[float] = Deferred()

        async def ask() -> float:
            return await answer

        self.loop(ask)
        self.assertEqual(self.readings, [])
        answer.callback(5.0)
        self.assertEqual(self.readings, [("water", 5.0)])

    def test_retimed(self) -> None:
        """A new interval holds at once."""
        loop = self.loop()
        self.wait(3)
        loop.start(2.0)
        self.wait(4)
        self.assertEqual(self.calls, [0, 3, 5, 7])
        self.assertEqual(loop.sensor.every, 2.0)

    def test_retimed_while_running(self) -> None:
        """A function that is still running is not called again because its interval was changed."""
        threads = HeldRuns()
        loop = self.loop(runs=threads)
        loop.start(2.0)
        self.wait(6)
        self.assertEqual(threads.waiting, 1)

    def test_raises(self) -> None:
        """A function that raises is tried again at its interval; the log says what is wrong once, and that it is
        over."""
        self.loop()
        self.result = OSError("no such device")
        self.wait(100)
        self.assertEqual(self.health.state, AppState.FAILED)
        self.assertIn("water: OSError: no such device (test_sensors.py, line ", self.health.detail)
        self.result = 2.0
        self.wait(10)
        self.assertEqual((self.health.state, self.health.detail), (AppState.RUNNING, ""))
        self.assertEqual(len(self.calls), 12)
        first, second = self.bench.log.lines
        self.assertIn("error: water: OSError: no such device", first)
        self.assertEqual(second, "info: water works again, after 10 failures")
        self.assertEqual(self.changes, 2)

    def test_exits(self) -> None:
        """A function that calls sys.exit() does not end the agent."""
        self.result = SystemExit(3)
        self.loop()
        self.assertIn("SystemExit: 3", self.health.detail)

    def test_flapping(self) -> None:
        """A function that fails every other time does not fill the log."""
        self.loop(every=1.0)
        for turn in range(200):
            self.result = OSError("no such device") if turn % 2 else 1.0
            self.wait(1)
        self.assertEqual(len(self.bench.log.lines), 2)

    def test_wrong_value(self) -> None:
        """A value that is none is refused with the function's name."""
        self.result = [1, 2]
        self.loop()
        self.assertEqual(
            self.bench.log.lines, ["error: water: returned a list, which is no number, truth value or text"]
        )
        self.assertEqual(self.readings, [])

    def test_none(self) -> None:
        """A function that has nothing to report returns None."""
        self.result = None
        self.loop()
        self.assertEqual((self.readings, self.bench.log.lines), ([], []))

    def test_hangs(self) -> None:
        """A function that does not return is reported as hung, and as well when it does."""
        threads = HeldRuns()
        self.loop(runs=threads)
        self.wait(29)
        self.assertEqual(self.health.state, AppState.RUNNING)
        self.wait(1)
        self.assertEqual((self.health.state, self.health.detail), (AppState.HUNG, "water has not returned for 30 s"))
        threads.step()
        self.assertEqual(self.health.state, AppState.RUNNING)
        self.assertEqual(
            self.bench.log.lines,
            ["error: water: has not returned for 30 s", "info: water works again, after 1 failure"],
        )

    def test_slow_rhythm(self) -> None:
        """One that runs every minute may take three of them."""
        self.loop(every=60.0, runs=HeldRuns())
        self.wait(179)
        self.assertEqual(self.health.state, AppState.RUNNING)
        self.wait(1)
        self.assertEqual(self.health.state, AppState.HUNG)

    def test_stop(self) -> None:
        """A sensor that is stopped leaves nothing behind, though its function hangs, and no line in the log."""
        threads = HeldRuns()
        loop = self.loop(runs=threads)
        loop.stop()
        self.assertEqual(self.bench.steady.getDelayedCalls(), [])
        threads.step()
        self.assertEqual((self.calls, self.bench.log.lines), ([], []))

    def test_worst(self) -> None:
        """The application is as well as its worst sensor, and the detail names all that ail."""
        self.health.ails("a", AppState.HUNG, "a hangs")
        self.health.ails("b", AppState.FAILED, "b fails")
        self.assertEqual((self.health.state, self.health.detail), (AppState.HUNG, "a hangs; b fails"))


class TroubleTests(Case):
    """Saying once what goes wrong again and again."""

    def setUp(self) -> None:
        self.bench = Bench()
        self.trouble = Trouble("water", self.bench.clock, self.bench.log)

    def test_again(self) -> None:
        """An error that goes on is said again after an hour, with how often it was not."""
        for _ in range(60):
            self.trouble.failed("broken")
            self.bench.steady.advance(1)
        self.bench.steady.advance(AGAIN)
        self.trouble.failed("broken")
        again = "error: water: broken (59 more failures since the last line)"
        self.assertEqual(self.bench.log.lines, ["error: water: broken", again])

    def test_changing_texts(self) -> None:
        """Texts that differ each time do not pile up, in the log or in memory."""
        for number in range(1000):
            self.trouble.failed(f"broken at {number}")
        self.assertLess(len(self.bench.log.lines), 25)
        self.bench.steady.advance(AGAIN)
        self.trouble.failed("another")
        self.assertIn("water: another", self.bench.log.lines[-1])
