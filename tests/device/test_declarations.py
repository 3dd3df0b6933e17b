"""What an application may declare, and what its server sees of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal

from iotcenter.model import Argument, ArgumentType, Series
from iotcenter.wire.arguments import ArgumentsError
from iotcenter.wire.codec import decode, encode
from iotcenter.wire.messages import Hello
from iotdevice import App, Colour, DeclarationError, Limits, Secret, Text
from iotdevice.arguments import Signature, read_signature
from iotdevice.docstrings import explain
from tests.device.support import Case


class Mode(StrEnum):
    """Choices by their values."""

    ECO = "eco"
    BOOST = "boost"


class Speed(Enum):
    """Choices by their names."""

    SLOW = 1
    FAST = 2


def signature(function: Callable[..., Any]) -> Signature:
    """What ``function`` takes."""
    return read_signature(function, "", False)


def arguments(function: Callable[..., Any]) -> dict[str, Argument]:
    """Its arguments by their names."""
    return {argument.name: argument for argument in signature(function).offer.arguments}


class ArgumentTests(Case):
    """A command's arguments, from its annotations."""

    def test_types(self) -> None:
        """Each annotation has its kind of form field."""

        def everything(
            a: bool,
            b: int,
            c: float,
            d: str,
            e: Text,
            f: Secret,
            g: Colour,
            h: timedelta,
            i: datetime,
            j: Literal["on", "off"],
            k: Mode,
            l: Speed,  # noqa: E741
        ) -> None:
            pass

        kinds = [argument.type for argument in arguments(everything).values()]
        wanted = "boolean integer number string text secret colour duration datetime choice choice choice"
        self.assertEqual(kinds, wanted.split())
        self.assertEqual(arguments(everything)["j"].choices, ("on", "off"))
        self.assertEqual(arguments(everything)["k"].choices, ("eco", "boost"))
        self.assertEqual(arguments(everything)["l"].choices, ("SLOW", "FAST"))
        self.assertTrue(all(argument.required for argument in arguments(everything).values()))

    def test_values(self) -> None:
        """The function gets the Python values that its annotations promise."""

        def do(when: datetime, long: timedelta, mode: Mode, speed: Speed, count: int, share: float) -> None:
            pass

        given = {"when": 86400, "long": "90", "mode": "eco", "speed": "FAST", "count": "3", "share": 1}
        bound = signature(do).bind(given)
        self.assertEqual(
            bound,
            {
                "when": datetime(1970, 1, 2, tzinfo=UTC),
                "long": timedelta(seconds=90),
                "mode": Mode.ECO,
                "speed": Speed.FAST,
                "count": 3,
                "share": 1.0,
            },
        )
        self.assertIs(type(bound["count"]), int)
        self.assertIs(type(bound["share"]), float)

    def test_limits(self) -> None:
        """Limits stand in the annotation, with the unit."""

        def wait(seconds: Annotated[int, Limits(minimum=1, maximum=60, unit="s", label="How long")] = 5) -> None:
            pass

        self.assertEqual(
            arguments(wait)["seconds"],
            Argument(
                "seconds", ArgumentType.INTEGER, "How long", required=False, default=5, minimum=1, maximum=60, unit="s"
            ),
        )
        with self.assertRaises(ArgumentsError) as error:
            signature(wait).bind({"seconds": 61})
        self.assertEqual(str(error.exception), "seconds: must be at most 60 s")

    def test_left_out(self) -> None:
        """What has a default may be left out, and the function uses its own."""

        def wait(long: timedelta = timedelta(minutes=1), mode: Mode = Mode.ECO, note: str | None = None) -> None:
            pass

        self.assertEqual(signature(wait).bind({}), {})
        shown = {name: (argument.required, argument.default) for name, argument in arguments(wait).items()}
        self.assertEqual(shown, {"long": (False, 60.0), "mode": (False, "eco"), "note": (False, None)})

    def test_default_instead_of_annotation(self) -> None:
        """A plain default says the type too."""

        def dim(level=50, on=True):  # type: ignore[no-untyped-def]
            pass

        self.assertEqual([a.type for a in arguments(dim).values()], [ArgumentType.INTEGER, ArgumentType.BOOLEAN])

    def test_out_of_range(self) -> None:
        """A number that the type cannot hold is the sender's error."""

        def at(when: datetime) -> None:
            pass

        self.assertRaises(ArgumentsError, signature(at).bind, {"when": 253402300800.0})

    def test_help(self) -> None:
        """The docstring is the help: its first paragraph, and a line for each argument."""

        def relay(on: bool, seconds: int = 0) -> None:
            """Switch the relay,
            or leave it.

            on: whether it is to be on
            seconds: how long; 0 is for good
            note: this is no argument
            """

        self.assertEqual(signature(relay).offer.help, "Switch the relay, or leave it.")
        self.assertEqual(arguments(relay)["on"].help, "whether it is to be on")
        self.assertEqual(arguments(relay)["seconds"].help, "how long; 0 is for good")
        self.assertEqual(explain("", ()), ("", {}))

    def test_errors(self) -> None:
        """What a server could not ask for is an error that names function and argument."""

        def no_type(on) -> None:  # type: ignore[no-untyped-def]
            pass

        def odd_type(on: list[int]) -> None:
            pass

        def many(*on: int) -> None:
            pass

        def outside(on: Annotated[int, Limits(maximum=3)] = 5) -> None:
            pass

        def wrong(on: Mode = "eco") -> None:  # type: ignore[assignment]
            pass

        def long_label(on: Annotated[int, Limits(label="x" * 65)]) -> None:
            pass

        def not_unicode(on: Annotated[int, Limits(label="\ud800")]) -> None:
            pass

        for function, text in (
            (no_type, "no_type: argument 'on' needs an annotation, such as on: bool"),
            (odd_type, "odd_type: argument 'on' cannot be asked for"),
            (many, "many: argument 'on' must be an ordinary one"),
            (outside, "outside: a default is outside its own limits: on: must be at most 3"),
            (wrong, "wrong: argument 'on': its default 'eco' is not of its type"),
            (long_label, "long_label: Expected `str` of length <= 64"),
            (not_unicode, "not_unicode: 'utf-8' codec can't encode"),
        ):
            with self.assertRaises(DeclarationError) as error:
                signature(function)
            self.assertIn(text, str(error.exception))


class AppTests(Case):
    """Sensors and commands."""

    def setUp(self) -> None:
        self.app = App()

    def test_sensor(self) -> None:
        """A sensor is one function; it is still that function for whoever calls it."""

        @self.app.sensor(every=10, unit="Cel", label="Water", decimals=1)
        def temperature() -> float:
            return 21.5

        self.assertEqual(temperature(), 21.5)
        sensor = self.app.sensors["temperature"]
        self.assertEqual(sensor.series, (Series("temperature", "Water", "Cel", 0.0, 1),))
        self.assertEqual((sensor.every, sensor.several), (10, False))

    def test_several(self) -> None:
        """One function may measure several things: units by name, or each declared in full."""
        self.app.sensor(every=10, series={"rain": "mm", "wind": "m/s"})(lambda: {})
        full = Series("sun", label="Sunshine", unit="W/m2", decimals=0)
        self.app.sensor(every=10, name="sky", series=[full])(lambda: {})
        self.assertEqual(self.app.sensors["<lambda>"].series, (Series("rain", unit="mm"), Series("wind", unit="m/s")))
        self.assertEqual(self.app.sensors["sky"].series, (full,))

    def test_errors(self) -> None:
        """A wrong declaration is an error that names the function, at once."""

        def measure() -> float:
            return 0.0

        self.app.sensor(every=1, name="there")(measure)
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"every": 0}, "measure: every: an interval of 0 s is outside"),
            ({"every": float("nan")}, "measure: every: an interval of nan s is outside"),
            ({"every": 1, "name": "no good"}, "no good: 'no good' cannot be a series' name"),
            ({"every": 1, "name": "there"}, "there: there are two of that name"),
            ({"every": 1, "series": {"there": ""}}, "measure: the series 'there' is there already"),
            ({"every": 1, "unit": "furlongs per fortnight"}, "measure: Expected `str` of length <= 16"),
            ({"every": 1, "decimals": 10}, "measure: Expected `int` <= 9"),
            (
                {"every": 1, "series": {f"s{n}": "" for n in range(256)}},
                "measure: a device may have at most 256",
            ),
        ]
        for options, text in wrong:
            with self.assertRaises(DeclarationError) as error:
                self.app.sensor(**options)(measure)
            self.assertIn(text, str(error.exception))

    def test_command(self) -> None:
        """A command is another function; two of one name are one too many."""

        @self.app.command(confirm=True, label="Open the door")
        async def door(wide: bool = False) -> str:
            """Open the door."""
            return "open"

        offer = self.app.commands["door"].signature.offer
        self.assertEqual((offer.label, offer.help, offer.confirm), ("Open the door", "Open the door.", True))
        self.assertRaises(DeclarationError, self.app.command(), door)

    def test_greatest_hello(self) -> None:
        """All that may be declared fits into a greeting that a server takes."""
        self.app.sensor(every=1, series={f"series-{n}": "Cel" for n in range(256)})(lambda: {})

        for number in range(64):

            def work(a: int, b: str = "x") -> None:
                """Work."""

            work.__name__ = f"work_{number}"
            self.app.command()(work)
        hello = Hello(
            series=self.app.sensors["<lambda>"].series,
            commands=tuple(command.signature.offer for command in self.app.commands.values()),
        )
        self.assertEqual(decode(encode(hello)), hello)
        self.assertLess(len(encode(hello)), 128 * 1024)

    def test_interval(self) -> None:
        """A sensor that is not there cannot be given another rhythm, nor one that no sensor may have."""
        self.assertRaises(ValueError, self.app.interval, 10, "nothing")
        self.assertRaises(ValueError, self.app.interval, 0)

    def test_log_level(self) -> None:
        """A level that is none is the caller's error."""
        self.assertRaises(ValueError, self.app.log, "text", "loud")

    def test_flood(self) -> None:
        """An application that reports without a pause fills a bounded box, and what is dropped is counted."""
        for number in range(10_010):
            self.app.report("x", number)
        mail, dropped = self.app.mailbox.take()
        self.assertEqual((len(mail), dropped), (10_000, 10))
