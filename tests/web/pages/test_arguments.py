"""Forms made of commands' arguments."""

from __future__ import annotations

import contextlib

from hypothesis import given as given_by
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import Argument, ArgumentType, CommandOffer
from iotcenter.web.pages.arguments import Field, fields, given, read_span, texts
from iotcenter.web.pages.times import Moment
from iotcenter.wire.arguments import ArgumentsError, check_arguments
from tests.browser.devices import EVERYTHING

BERLIN = Moment(1795356202.0, "Europe/Berlin")


def offer(*arguments: Argument) -> CommandOffer:
    """A command with these arguments."""
    return CommandOffer("blink", arguments=arguments)


def field(argument: Argument) -> Field:
    """The field for one argument."""
    return fields(offer(argument), BERLIN)[0]


class FieldTests(SynchronousTestCase):
    """``fields``."""

    def test_every_type_has_a_field(self) -> None:
        """No argument that a device may declare is without a way to fill it in."""
        for kind in ArgumentType:
            self.assertTrue(field(Argument("x", kind, choices=("a", "b"))).widget)

    def test_few_choices_are_side_by_side(self) -> None:
        """Up to four choices are buttons to pick from, more are a list; so are those that may be left out."""
        self.assertEqual(field(Argument("x", ArgumentType.CHOICE, choices=("a", "b"))).widget, "radios")
        self.assertEqual(field(Argument("x", ArgumentType.CHOICE, choices=tuple("abcde"))).widget, "choice")
        self.assertEqual(field(Argument("x", ArgumentType.CHOICE, choices=("a",), required=False)).widget, "choice")

    def test_a_colour_that_may_be_left_out(self) -> None:
        """A browser's colour field cannot be empty, so such a colour is typed."""
        self.assertEqual(field(Argument("x", ArgumentType.COLOUR, required=False)).widget, "string")

    def test_defaults_are_filled_in(self) -> None:
        """Each field begins with the argument's default, as people write it."""
        shown = {one.argument.name: one.value for one in fields(EVERYTHING, BERLIN)}
        wanted = {"flag": "on", "count": "3", "level": "0.5", "span": "1 h 30 min", "colour": "#ff8800", "name": ""}
        self.assertEqual({name: shown[name] for name in wanted}, wanted)

    def test_limits_are_said(self) -> None:
        """The limits of a number stand below its field."""
        self.assertIn("1 to 60.", field(Argument("x", ArgumentType.INTEGER, minimum=1, maximum=60)).hint)
        self.assertIn("At most 2 h.", field(Argument("x", ArgumentType.DURATION, maximum=7200)).hint)

    def test_labels(self) -> None:
        """Without a label the argument's name is made readable."""
        self.assertEqual(field(Argument("fan_speed", ArgumentType.INTEGER)).label, "Fan speed")

    def test_what_was_wrong_is_kept(self) -> None:
        """After a refusal the field holds what was entered, and is described by its problem."""
        argument = Argument("x", ArgumentType.INTEGER)
        shown = fields(offer(argument), BERLIN, {"arg-x": "many"}, {"x": "must be a number"})[0]
        self.assertEqual((shown.value, shown.problem, shown.described), ("many", "must be a number", "blink-x-fault"))


class GivenTests(SynchronousTestCase):
    """``given`` and ``texts``."""

    def test_empty_fields_are_left_out(self) -> None:
        """What nobody filled in is for the device to decide."""
        argument = Argument("x", ArgumentType.INTEGER, required=False, default=5)
        self.assertEqual(given(offer(argument), {"arg-x": ""}, BERLIN), {})

    def test_an_emptied_text(self) -> None:
        """A text with a default that was emptied is meant to be empty."""
        argument = Argument("x", ArgumentType.STRING, required=False, default="hello")
        self.assertEqual(given(offer(argument), {"arg-x": ""}, BERLIN), {"x": ""})

    def test_an_unticked_box(self) -> None:
        """Browsers do not send boxes that are not ticked: that is a no."""
        self.assertEqual(given(offer(Argument("x", ArgumentType.BOOLEAN)), {}, BERLIN), {"x": "off"})

    def test_times_are_of_the_users_zone(self) -> None:
        """A date and time is meant on the clock of whoever enters it."""
        argument = Argument("x", ArgumentType.DATETIME)
        self.assertEqual(given(offer(argument), {"arg-x": "2026-11-22T15:03:22"}, BERLIN), {"x": 1795356202.0})

    def test_lines_end_as_on_the_device(self) -> None:
        """Browsers send CR LF; devices know LF."""
        self.assertEqual(given(offer(Argument("x", ArgumentType.TEXT)), {"arg-x": "a\r\nb"}, BERLIN), {"x": "a\nb"})

    def test_what_cannot_be_read(self) -> None:
        """Each argument that cannot be read has its own message."""
        both = offer(Argument("x", ArgumentType.DURATION), Argument("y", ArgumentType.DATETIME))
        error = self.assertRaises(ArgumentsError, given, both, {"arg-x": "soon", "arg-y": "tomorrow"}, BERLIN)
        self.assertEqual(set(error.problems), {"x", "y"})

    def test_the_form_as_it_is_shown_can_be_sent(self) -> None:
        """The defaults of a form fit the limits of the command that it is for."""
        form = {one.name: one.value for one in fields(EVERYTHING, BERLIN)} | {"arg-name": "pi", "arg-room": "attic"}
        checked = check_arguments(EVERYTHING, given(EVERYTHING, form, BERLIN))
        self.assertEqual((checked["span"], checked["flag"], checked["room"]), (5400, True, "attic"))

    def test_once_more(self) -> None:
        """The arguments of a former command fill the form in again, and mean the same; secrets are not kept."""
        form = {one.name: one.value for one in fields(EVERYTHING, BERLIN)}
        form |= {"arg-name": "pi", "arg-room": "attic", "arg-start": "2026-11-22T15:03:22", "arg-pin": "1234"}
        args = check_arguments(EVERYTHING, given(EVERYTHING, form, BERLIN))
        again = check_arguments(EVERYTHING, given(EVERYTHING, texts(EVERYTHING, args, BERLIN), BERLIN))
        self.assertEqual(again, {name: value for name, value in args.items() if name != "pin"})


class SpanTests(SynchronousTestCase):
    """``read_span``."""

    def test_as_people_write_it(self) -> None:
        """Numbers are seconds; units may be joined, with or without spaces."""
        cases = {"90": 90, " 5 min ": 300, "1h30m": 5400, "1 h 30 min": 5400, "2.5 s": 2.5, "1D 2H": 93600}
        self.assertEqual({text: read_span(text) for text in cases}, cases)

    def test_what_is_no_length_of_time(self) -> None:
        """Everything else is refused, as a whole."""
        for text in ("", "soon", "5 years", "5 min later", "-5", "1e3", "h", "5 5", "٣ min x", "nan", "inf"):
            self.assertRaises(ValueError, read_span, text)

    @given_by(st.text(max_size=30))
    def test_any_text(self, text: str) -> None:
        """Whatever is typed gives a length or a ``ValueError``."""
        with contextlib.suppress(ValueError):
            self.assertGreaterEqual(read_span(text), 0)
