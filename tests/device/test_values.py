"""What an application's functions return, and what becomes of it."""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from iotcenter.model import Reading, Series
from iotcenter.wire.codec import decode, encode
from iotcenter.wire.messages import Report, Result, ResultState
from iotdevice.app import Sensor
from iotdevice.values import BadValue, readings_of, result_of, value_of
from tests.device.support import Case

ONE = Sensor("water", lambda: None, 1.0, (Series("water"),), False)
TWO = Sensor("sky", lambda: None, 1.0, (Series("rain"), Series("wind")), True)


class State(StrEnum):
    """A text in disguise."""

    OPEN = "open"


class Level(IntEnum):
    """A number in disguise."""

    HIGH = 3


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.sets(st.integers()),
    max_leaves=8,
)


class ReadingTests(Case):
    """What a sensor returned."""

    def test_good(self) -> None:
        """Numbers of every kind, truth values and short texts are readings; None is none."""
        for returned, value in (
            (1, 1.0),
            (True, True),
            (Decimal("1.5"), 1.5),
            ("open", "open"),
            (Level.HIGH, 3.0),
            (State.OPEN, "open"),
        ):
            self.assertEqual(readings_of(ONE, returned), {"water": value})
            self.assertIs(type(value_of(returned)), type(value))
        self.assertEqual(readings_of(ONE, None), {})

    def test_several(self) -> None:
        """Several values come by the names of their series; those that are not there this time may be left out."""
        self.assertEqual(readings_of(TWO, {"rain": 1, "wind": None}), {"rain": 1.0})
        self.assertEqual(readings_of(TWO, {}), {})

    def test_bad(self) -> None:
        """Anything else is refused in words."""
        bad: list[tuple[Sensor, Any, str]] = [
            (ONE, [1], "a list, which is no number, truth value or text"),
            (ONE, {"water": 1}, "a dict, which is no number"),
            (ONE, float("nan"), "nan, which is no number"),
            (ONE, 10**400, "an int, which is no number"),
            (ONE, "x" * 256, "a text of 256 characters; 255 are allowed"),
            (ONE, "\ud800", "a text that is not Unicode"),
            (TWO, 1.0, "a float, and not the values of its series by their names"),
            (TWO, {"sun": 1}, "a value for 'sun', which is not among its series"),
        ]
        for sensor, returned, text in bad:
            with self.assertRaises(BadValue) as error:
                readings_of(sensor, returned)
            self.assertIn(text, str(error.exception))

    @given(ANYTHING)
    def test_anything(self, returned: Any) -> None:
        """Whatever a function returns is a reading that every server takes, or refused."""
        try:
            readings = readings_of(ONE, returned)
        except BadValue:
            return
        for name, value in readings.items():
            report = Report(1, 1, (Reading(name, value),))
            self.assertEqual(decode(encode(report)), report)


class ResultTests(Case):
    """What a command returned."""

    def test_good(self) -> None:
        """What JSON can say comes through."""
        for returned in (None, True, 3, 1.5, "text", [1, {"a": [None]}], {"x": "y"}):
            self.assertEqual(result_of(returned), returned)

    def test_bad(self) -> None:
        """What it cannot say, and what is too much, is refused in words."""
        nest: list[Any] = []
        for _ in range(100_000):
            nest = [nest]
        for returned in (object(), 2**70, nest, {("a", "b"): 1}, "\ud800", "x" * 70_000):
            self.assertRaises(BadValue, result_of, returned)
        while nest:
            nest = nest.pop()

    @given(ANYTHING)
    def test_anything(self, returned: Any) -> None:
        """Whatever a command returns is a result that every server takes, or refused."""
        try:
            result = result_of(returned)
        except BadValue:
            return
        message = Result(1, ResultState.DONE, result)
        self.assertEqual(decode(encode(message)), message)
