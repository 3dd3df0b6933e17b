"""From a command's declared arguments to a form, and from what was filled in back to arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from iotcenter.model import Argument, ArgumentType, CommandOffer
from iotcenter.texts import _
from iotcenter.web.pages.times import Moment
from iotcenter.web.pages.units import MINUS, UNITS, point, span
from iotcenter.wire.arguments import ArgumentsError

PREFIX = "arg-"
"""Before the names of arguments in forms, so that none is taken for a field of ours."""

RADIOS = 4
"""Up to so many choices are shown side by side, more as a list to open."""

_SECONDS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)")


@dataclass(frozen=True)
class Field:
    """One argument as a form shows it. ``widget`` is the macro of ``_fields.html`` that draws it."""

    argument: Argument
    id: str
    widget: str
    value: str
    unit: str
    hint: str
    problem: str

    @property
    def name(self) -> str:
        """What the field is called in the form."""
        return PREFIX + self.argument.name

    @property
    def label(self) -> str:
        """What people call it."""
        return label_of(self.argument)

    @property
    def described(self) -> str:
        """The ids of what explains the field, for ``aria-describedby``."""
        parts = {"hint": self.hint, "fault": self.problem}
        return " ".join(f"{self.id}-{part}" for part, text in parts.items() if text)


def fields(
    offer: CommandOffer,
    moment: Moment,
    values: Mapping[str, str] | None = None,
    problems: Mapping[str, str] | None = None,
) -> tuple[Field, ...]:
    """The form of a command: filled in with ``values`` where somebody did so already, else with the defaults."""
    found = problems or {}
    return tuple(_field(offer, argument, moment, values, found.get(argument.name, "")) for argument in offer.arguments)


def texts(offer: CommandOffer, args: Mapping[str, Any], moment: Moment) -> dict[str, str]:
    """Arguments that were once given, as the form's fields would hold them: to send a command again."""
    return {
        PREFIX + argument.name: _text(argument, args[argument.name], moment)
        for argument in offer.arguments
        if argument.name in args and argument.type is not ArgumentType.SECRET
    }


def given(offer: CommandOffer, form: Mapping[str, str], moment: Moment) -> dict[str, Any]:
    """What the form holds, by arguments' names; those left empty are left out. The center checks it against the limits.

    Raises ``ArgumentsError`` for what cannot be read at all.
    """
    args: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for argument in offer.arguments:
        text = form.get(PREFIX + argument.name, "off" if argument.type is ArgumentType.BOOLEAN else "")
        try:
            if text or _may_be_empty(argument):
                args[argument.name] = _read(argument, text, moment)
        except ValueError as error:
            problems[argument.name] = str(error)
    if problems:
        raise ArgumentsError(problems)
    return args


def label_of(argument: Argument) -> str:
    """What people call an argument."""
    words = argument.name.replace("_", " ")
    return argument.label or words[:1].upper() + words[1:]


def in_words(argument: Argument, value: Any, moment: Moment) -> str:
    """What an argument was given as, for people to read."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, float | int) and argument.type is ArgumentType.DATETIME:
        return moment.exact(value)
    unit = "" if argument.type is ArgumentType.DURATION else UNITS.get(argument.unit, argument.unit)
    text = _text(argument, value, moment)
    if isinstance(value, float):
        text = text.replace(".", point())
    return f"{text} {unit}".rstrip()


def _field(
    offer: CommandOffer, argument: Argument, moment: Moment, values: Mapping[str, str] | None, problem: str
) -> Field:
    default = _text(argument, argument.default, moment)
    value = default if values is None else values.get(PREFIX + argument.name, "")
    return Field(
        argument,
        id=f"{offer.name}-{argument.name}",
        widget=_widget(argument),
        value=value,
        unit=UNITS.get(argument.unit, argument.unit),
        hint=_hint(argument),
        problem=problem,
    )


def _widget(argument: Argument) -> str:
    if argument.type is ArgumentType.CHOICE and argument.required and len(argument.choices) <= RADIOS:
        return "radios"
    if argument.type is ArgumentType.INTEGER:
        return "number"
    if argument.type is ArgumentType.COLOUR and not argument.required and argument.default is None:
        return "string"  # a browser's colour field cannot be left empty
    return str(argument.type)


def _hint(argument: Argument) -> str:
    """The device's own help, and what else there is to know before filling in."""
    known = {
        ArgumentType.SECRET: _("It is neither stored nor logged."),
        ArgumentType.DURATION: _("Such as 90 s, 5 min or 1 h 30 min."),
        ArgumentType.COLOUR: _("Such as #ff8800.") if _widget(argument) == "string" else "",
    }
    parts = (argument.help, known.get(argument.type, ""), _limits(argument))
    return " ".join(part for part in parts if part)


def _limits(argument: Argument) -> str:
    if argument.type not in (ArgumentType.INTEGER, ArgumentType.NUMBER, ArgumentType.DURATION):
        return ""
    low, high = (_limit(argument, bound) for bound in (argument.minimum, argument.maximum))
    if low and high:
        return _("%(low)s to %(high)s.", low=low, high=high)
    return _("At least %(low)s.", low=low) if low else _("At most %(high)s.", high=high) if high else ""


def _limit(argument: Argument, bound: float | None) -> str:
    if bound is None:
        return ""
    if argument.type is ArgumentType.DURATION:
        return span(bound)
    return f"{bound:g}".replace("-", MINUS).replace(".", point())


def _text(argument: Argument, value: Any, moment: Moment) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float | int):
        if argument.type is ArgumentType.DURATION:
            return span(value) if value == int(value) else f"{value:g} s"
        if argument.type is ArgumentType.DATETIME:
            return moment.local(value).replace(tzinfo=None).isoformat(timespec="seconds")
        return str(int(value)) if value == int(value) else repr(value)
    return str(value)


def _may_be_empty(argument: Argument) -> bool:
    """Whether an empty field says something: that a text with a default is to be none."""
    is_text = argument.type in (ArgumentType.STRING, ArgumentType.TEXT)
    return is_text and not argument.required and bool(argument.default)


def _read(argument: Argument, text: str, moment: Moment) -> Any:
    if argument.type is ArgumentType.DURATION:
        return read_span(text)
    if argument.type is ArgumentType.DATETIME:
        return _read_datetime(text, moment)
    if argument.type is ArgumentType.TEXT:
        return text.replace("\r\n", "\n")
    return text


def read_span(text: str) -> float:
    """A length of time as people write it, in seconds: ``90``, ``5 min``, ``1h30m``. Raises ``ValueError``."""
    text = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    seconds, place = 0.0, 0
    while match := _PART.match(text, place):
        if match[2] not in _SECONDS:
            break
        seconds += float(match[1]) * _SECONDS[match[2]]
        place = match.end()
    if not place or text[place:].strip():
        raise ValueError(_("must be a length of time such as 90 s, 5 min or 1 h 30 min"))
    return seconds


def _read_datetime(text: str, moment: Moment) -> float:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=moment.zone).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(_("must be a date and a time")) from None
