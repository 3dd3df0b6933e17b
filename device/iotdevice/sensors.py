"""Runs an application's sensors, each at its own rhythm, whatever they do."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from iotcenter.model import AppState, Value
from iotdevice.app import Sensor
from iotdevice.errors import describe, file_of
from iotdevice.stage import Stage
from iotdevice.timers import Timers
from iotdevice.values import BadValue, readings_of
from iotdevice.workers import call

HUNG_AFTER = 30.0
HUNG_INTERVALS = 3
"""A function hangs when it has not returned for 30 s, or for three of its intervals, whichever is longer."""


class SensorLoop:
    """Calls one sensor's function on a grid of its interval; never again before it has returned."""

    def __init__(self, sensor: Sensor, stage: Stage, report: Callable[[str, Value], None]) -> None:
        self.sensor = sensor
        self._stage = stage
        self._report = report
        self._trouble = stage.trouble(sensor.name)
        self._timers = Timers(stage.clock.steady)
        self._running: Deferred[None] | None = None
        self._stopped = False
        self._loop: LoopingCall | None = None

    def start(self, every: float) -> None:
        """Run every ``every`` seconds from now on, and once now."""
        self._end_loop()
        self.sensor = self.sensor._replace(every=every)
        self._loop = LoopingCall(self._turn)
        self._loop.clock = self._stage.clock.steady
        self._loop.start(every)

    def stop(self) -> None:
        """Run no more. A plain function that hangs stays in its thread; nobody waits for it."""
        self._stopped = True
        self._end_loop()
        self._timers.close()
        if self._running is not None:
            self._running.cancel()

    def _end_loop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()

    def _turn(self) -> None:
        if self._running is None:
            self._timers.within(max(HUNG_AFTER, HUNG_INTERVALS * self.sensor.every), self._hangs)
            running = Deferred.fromCoroutine(self._measure())
            self._running = None if running.called else running

    async def _measure(self) -> None:
        try:
            readings = readings_of(self.sensor, await call(self._stage.threads, self.sensor.function))
        except GeneratorExit:
            raise
        except BadValue as error:
            self._fails(f"returned {error}")
        except BaseException as error:
            if not self._stopped:
                self._fails(describe(error, file_of(self.sensor.function)))
        else:
            self._works(readings)
        finally:
            self._timers.cancel(self._hangs)
            self._running = None

    def _works(self, readings: dict[str, Value]) -> None:
        self._stage.health.well(self.sensor.name)
        self._trouble.worked()
        for name, value in readings.items():
            self._report(name, value)

    def _fails(self, error: str) -> None:
        self._stage.health.ails(self.sensor.name, AppState.FAILED, f"{self.sensor.name}: {error}")
        self._trouble.failed(error)

    def _hangs(self) -> None:
        error = f"has not returned for {max(HUNG_AFTER, HUNG_INTERVALS * self.sensor.every):g} s"
        self._stage.health.ails(self.sensor.name, AppState.HUNG, f"{self.sensor.name} {error}")
        self._trouble.failed(error)
