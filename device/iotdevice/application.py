"""The application as it runs: its sensors at their rhythms, what it says by itself, and what it offers to the
server."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs
from twisted.internet.interfaces import IReactorFromThreads

from iotcenter.model import CommandOffer, Series, is_series_name
from iotcenter.wire.messages import MAX_SERIES
from iotdevice.app import App, Reported, Retimed, Said, Sensor
from iotdevice.arguments import DeclarationError, valid
from iotdevice.config import Settings
from iotdevice.outbox import Outbox
from iotdevice.sensors import SensorLoop
from iotdevice.stage import Stage
from iotdevice.values import BadValue, value_of


class Application:
    """Runs one ``App``. ``changed`` is called when it offers something else than before."""

    def __init__(
        self,
        app: App,
        settings: Settings,
        reactor: IReactorFromThreads,
        stage: Stage,
        outbox: Outbox,
        changed: Callable[[], None],
    ) -> None:
        self._app = app
        self._reactor = reactor
        self._log = stage.log
        self._outbox = outbox
        self._changed = changed
        self._trouble = stage.trouble("app.report")
        self._reported: list[Series] = []
        self._names = {series.name for sensor in app.sensors.values() for series in sensor.series}
        self._loops = {name: SensorLoop(sensor, stage, outbox.add) for name, sensor in app.sensors.items()}
        self._stopped = False
        app.settings = settings

    @property
    def series(self) -> tuple[Series, ...]:
        """What the device measures, as its server sees it."""
        measured = [series for loop in self._loops.values() for series in _with_rhythm(loop.sensor)]
        return (*measured, *self._reported)

    @property
    def commands(self) -> tuple[CommandOffer, ...]:
        """What the device can be told to do."""
        return tuple(command.signature.offer for command in self._app.commands.values())

    def start(self) -> None:
        """Begin to measure."""
        for loop in self._loops.values():
            loop.start(loop.sensor.every)
        self._app.mailbox.open(self._wake)

    def stop(self) -> None:
        """Measure no more; what the application said until now is taken."""
        for loop in self._loops.values():
            loop.stop()
        self._take_mail()
        self._stopped = True

    def _wake(self) -> None:
        self._reactor.callFromThread(self._take_mail)

    def _take_mail(self) -> None:
        if self._stopped:
            return
        mail, dropped = self._app.mailbox.take()
        for item in mail:
            match item:
                case Said(text, level):
                    self._log.say(text, level)
                case Reported(series, value):
                    self._take_report(series, value)
                case Retimed(names, every):
                    self._retime(names, every)
        if dropped:
            self._outbox.lose(dropped)
            self._trouble.failed(f"{dropped} reports and lines came faster than they could be taken, and are lost")

    def _take_report(self, series: Series, value: object) -> None:
        try:
            reading = value_of(value)
            self._declare(series)
            self._outbox.add(series.name, reading)
        except BadValue as error:
            self._trouble.failed(f"{series.name!r} is {error}")
        except DeclarationError as error:
            self._trouble.failed(f"{series.name!r} {error}")

    def _declare(self, series: Series) -> None:
        """The first report of a name tells the server what it is."""
        if series.name in self._names:
            return
        if not is_series_name(series.name):
            raise DeclarationError("cannot be a series' name: letters, digits and . : / _ - can")
        if len(self._names) >= MAX_SERIES:
            raise DeclarationError(f"is one too many: a device may have at most {MAX_SERIES} series")
        self._reported.append(valid(series, "was declared wrongly"))
        self._names.add(series.name)
        self._changed()

    def _retime(self, names: tuple[str, ...], every: float) -> None:
        for name in names or self._loops:
            self._loops[name].start(every)
        self._changed()


def _with_rhythm(sensor: Sensor) -> list[Series]:
    return [structs.replace(series, every=sensor.every) for series in sensor.series]
