"""What an application is: its sensors, its commands, and its ways to say something by itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from msgspec import msgpack

from iotcenter.model import LogLevel, Series, is_series_name
from iotcenter.wire.messages import MAX_OFFERS, MAX_SERIES
from iotdevice.arguments import DeclarationError, Signature, read_signature, valid
from iotdevice.config import Settings
from iotdevice.mailbox import Mailbox
from iotdevice.upload import Upload, UploadError

F = TypeVar("F", bound=Callable[..., Any])

MIN_INTERVAL = 0.05
"""The shortest interval of a sensor: twenty readings a second are what a small board and a slow link bear without a
thought."""

MAX_MAIL = 10_000
"""How many reports and lines may wait for the agent: a loop that reports without a pause fills this, not the memory."""


MAX_UPLOADS = 8
"""How many files may wait to be brought to disk: they are in memory until then."""


class CommandError(Exception):
    """Raise it in a command to say in words of your own why it failed: the sender sees this text alone."""


class Sensor(NamedTuple):
    """A function that measures. ``several`` says that it returns its values by the names of their series."""

    name: str
    function: Callable[[], Any]
    every: float
    series: tuple[Series, ...]
    several: bool


class CommandFunction(NamedTuple):
    """A function that a server may call, and what it takes."""

    function: Callable[..., Any]
    signature: Signature


class Said(NamedTuple):
    """A line that the application logged."""

    text: str
    level: LogLevel


class Reported(NamedTuple):
    """A value that came by itself."""

    series: Series
    value: Any


class Retimed(NamedTuple):
    """Sensors that are to run at another interval; all of them where no name is given."""

    names: tuple[str, ...]
    every: float


class App:
    """One device's application. The module that ``twistd iotdevice`` loads makes one, named ``app``.

    Plain functions run in a thread, ``async`` ones on Twisted's reactor, where they may await Deferreds and must not
    block. ``log``, ``report``, ``upload`` and ``interval`` may be called from any thread, before the agent runs too.

    ``settings`` holds what ``iotdevice.toml`` says, from the moment the agent has taken the application in.
    """

    def __init__(self) -> None:
        self.sensors: dict[str, Sensor] = {}
        self.commands: dict[str, CommandFunction] = {}
        self.settings = Settings()
        self.mailbox: Mailbox[Said | Reported | Retimed] = Mailbox(MAX_MAIL)
        self.uploads: Mailbox[Upload] = Mailbox(MAX_UPLOADS)

    def sensor(
        self,
        *,
        every: float,
        unit: str = "",
        label: str = "",
        decimals: int | None = None,
        name: str = "",
        series: Mapping[str, str] | Sequence[Series] = (),
    ) -> Callable[[F], F]:
        """Call the function each ``every`` seconds, and report what it returns: a number, a truth value, or a short
        text.

        ``None`` means that there is nothing to report this time. The series bears the function's name, or ``name``.

        A function that measures several things at once declares their ``series``, as ``{name: unit}`` or as a sequence
        of ``Series``, and returns ``{name: value}`` with any of them.
        """

        def declare(function: F) -> F:
            own = name or function.__name__
            declared = _series(series) or (Series(own, label, unit, 0.0, decimals),)
            self._add(Sensor(own, function, every, declared, bool(series)))
            return function

        return declare

    def command(self, *, confirm: bool = False, label: str = "") -> Callable[[F], F]:
        """Let the server call the function, with a form for its arguments, and show what it returns.

        The arguments' annotations say what may be given: bool, int, float, str, a Literal of strings or an Enum (a
        choice), timedelta, datetime, and ``Secret``, ``Text`` or ``Colour``; ``Annotated[int, Limits(minimum=0,
        maximum=60)]`` bounds them. One with a default may be left out. The docstring is the help: its first paragraph
        for the command, lines such as ``seconds: how long`` for the arguments. ``confirm`` makes the sender think
        twice.
        """

        def declare(function: F) -> F:
            signature = read_signature(function, label, confirm)
            self._refuse_double(signature.offer.name, self.commands, MAX_OFFERS)
            self.commands[signature.offer.name] = CommandFunction(function, signature)
            return function

        return declare

    def log(self, text: str, level: LogLevel | str = LogLevel.INFO) -> None:
        """Write a line into the device's log, here and on the server. ``level`` is debug, info, warning or error."""
        self.mailbox.post(Said(str(text), LogLevel(level)))

    def report(self, name: str, value: Any, *, unit: str = "", label: str = "", decimals: int | None = None) -> None:
        """Report a value that came by itself: a door that opened, a message on a bus."""
        self.mailbox.post(Reported(Series(str(name), label, unit, 0.0, decimals), value))

    def upload(self, content: bytes | str | os.PathLike[str], media_type: str = "", *, name: str = "") -> Upload:
        """Send a photo or another file to the server: its content, or the path of a file, which is copied.

        It waits on disk until the server has it, through breaks of the link and restarts. What is returned tells when
        it is there, see ``Upload``. A command's uploads are shown as its result. Raises ``UploadError`` where too many
        have been handed in at once.
        """
        upload = Upload(content, media_type, name)
        if not self.uploads.post(upload):
            raise UploadError(f"{MAX_UPLOADS} files wait to be brought to disk already: hand in the next ones later")
        return upload

    def interval(self, seconds: float, *names: str) -> None:
        """Run the sensors ``names``, or all where none is named, every ``seconds`` from now on, until the agent starts
        again."""
        unknown = [name for name in names if name not in self.sensors]
        if unknown:
            raise ValueError(f"there is no sensor {unknown[0]!r}")
        _check_interval(seconds)
        self.mailbox.post(Retimed(names, float(seconds)))

    @property
    def declared_size(self) -> int:
        """How many bytes the declarations of all sensors and commands take on the wire."""
        series = [series for sensor in self.sensors.values() for series in sensor.series]
        return len(msgpack.encode([series, [command.signature.offer for command in self.commands.values()]]))

    def _add(self, sensor: Sensor) -> None:
        self._refuse_double(sensor.name, self.sensors, MAX_SERIES)
        try:
            _check_interval(sensor.every)
        except ValueError as error:
            raise DeclarationError(f"{sensor.name}: every: {error}") from None
        taken = {series.name for other in self.sensors.values() for series in other.series}
        for series in sensor.series:
            if not is_series_name(series.name):
                raise DeclarationError(
                    f"{sensor.name}: {series.name!r} cannot be a series' name: letters, digits and . : / _ - can"
                )
            if series.name in taken:
                raise DeclarationError(f"{sensor.name}: the series {series.name!r} is there already")
            taken.add(series.name)
        if len(taken) > MAX_SERIES:
            raise DeclarationError(f"{sensor.name}: a device may have at most {MAX_SERIES} series")
        self.sensors[sensor.name] = sensor._replace(
            series=tuple(valid(series, sensor.name) for series in sensor.series)
        )

    @staticmethod
    def _refuse_double(name: str, others: Mapping[str, object], most: int) -> None:
        if name in others:
            raise DeclarationError(f"{name}: there are two of that name")
        if len(others) >= most:
            raise DeclarationError(f"{name}: a device may have at most {most} of these")


def _series(declared: Mapping[str, str] | Sequence[Series]) -> tuple[Series, ...]:
    if isinstance(declared, Mapping):
        return tuple(Series(name, unit=unit) for name, unit in declared.items())
    return tuple(declared)


def _check_interval(seconds: float) -> None:
    if not MIN_INTERVAL <= seconds <= 366 * 86400:
        raise ValueError(f"an interval of {seconds:g} s is outside {MIN_INTERVAL:g} s to a year")
