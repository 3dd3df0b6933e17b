"""A command's arguments against what its device declared."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import Argument, ArgumentType, CommandOffer
from iotcenter.wire.arguments import ArgumentsError, check_arguments
from tests.wire.strategies import plain

kinds = st.sampled_from(ArgumentType)


def offer(*arguments: Argument) -> CommandOffer:
    """A command with these arguments."""
    return CommandOffer("command", arguments=arguments)


def check(type: ArgumentType, given: Any, **more: Any) -> Any:
    """What ``given`` is read as for an argument of ``type``, or the problem's text."""
    try:
        return check_arguments(offer(Argument("x", type, **more)), {"x": given})["x"]
    except ArgumentsError as error:
        return error.problems["x"]


class ArgumentsTests(SynchronousTestCase):
    """What fits is read in its type; what does not is said in words."""

    def test_what_is_read(self) -> None:
        """Values of JSON and strings of forms come to the same."""
        cases: list[tuple[ArgumentType, Any, Any]] = [
            (ArgumentType.BOOLEAN, True, True),
            (ArgumentType.BOOLEAN, "on", True),
            (ArgumentType.BOOLEAN, "off", False),
            (ArgumentType.INTEGER, 3, 3),
            (ArgumentType.INTEGER, "3", 3),
            (ArgumentType.NUMBER, "2.5", 2.5),
            (ArgumentType.STRING, "a b", "a b"),
            (ArgumentType.DURATION, "90", 90.0),
            (ArgumentType.COLOUR, "#FF8800", "#ff8800"),
            (ArgumentType.DATETIME, 1795305600, 1795305600.0),
        ]
        for type, given_value, expected in cases:
            self.assertEqual(check(type, given_value), expected)

    def test_what_is_refused(self) -> None:
        """Each with its reason."""
        self.assertEqual(check(ArgumentType.BOOLEAN, "maybe"), "must be true or false")
        self.assertEqual(check(ArgumentType.INTEGER, 2.5), "must be a whole number")
        self.assertEqual(check(ArgumentType.NUMBER, "NaN"), "must be a finite number")
        self.assertEqual(check(ArgumentType.NUMBER, True), "must be a number")
        self.assertEqual(check(ArgumentType.INTEGER, 61, maximum=60, unit="s"), "must be at most 60 s")
        self.assertEqual(check(ArgumentType.INTEGER, -1, minimum=0), "must be at least 0")
        self.assertEqual(check(ArgumentType.STRING, "abc", maximum=2), "must be at most 2 characters long")
        self.assertEqual(check(ArgumentType.STRING, 5), "must be text")
        self.assertEqual(check(ArgumentType.CHOICE, "c", choices=("a", "b")), "must be one of a, b")
        self.assertEqual(check(ArgumentType.DURATION, -1), "must not be negative")
        self.assertEqual(check(ArgumentType.COLOUR, "red"), "must be a colour such as #ff8800")

    def test_all_problems_at_once(self) -> None:
        """A form shows every field that is wrong, not the first alone."""
        command = offer(Argument("on", ArgumentType.BOOLEAN), Argument("seconds", ArgumentType.INTEGER, maximum=9))
        with self.assertRaises(ArgumentsError) as caught:
            check_arguments(command, {"seconds": 10, "colour": "red"})
        self.assertEqual(
            caught.exception.problems,
            {"on": "is needed", "seconds": "must be at most 9", "colour": "there is no such argument"},
        )

    def test_defaults(self) -> None:
        """What is left out takes its default, and is left to the function where there is none."""
        command = offer(
            Argument("seconds", ArgumentType.INTEGER, required=False, default=5),
            Argument("note", ArgumentType.STRING, required=False),
        )
        self.assertEqual(check_arguments(command, {}), {"seconds": 5})

    @given(kinds, plain | st.text(max_size=20) | st.floats())
    def test_anything_given(self, type: ArgumentType, given_value: Any) -> None:
        """Any value is read or refused; nothing else comes out."""
        try:
            check_arguments(offer(Argument("x", type, choices=("a",), minimum=1, maximum=9)), {"x": given_value})
        except ArgumentsError as error:
            self.assertEqual(list(error.problems), ["x"])
