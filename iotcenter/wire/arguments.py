"""Checks a command's arguments against what its device declared: on the server before it is sent, on the device
again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from iotcenter.model import FAR_FUTURE, LARGEST, Argument, ArgumentType, CommandOffer

MAX_STRING = 1024
"""The longest string argument where the device sets no limit of its own."""

MAX_TEXT = 16 * 1024
"""The longest text of several lines where the device sets no limit of its own."""


class ArgumentsError(Exception):
    """Some arguments do not fit; ``problems`` says for each name what is wrong, in words for a person."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {problem}" for name, problem in problems.items()))
        self.problems = problems


def check_arguments(offer: CommandOffer, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments to call the command with: those given, in their declared types, and the defaults of the others.

    Strings are read as what the argument takes, since forms and command lines know nothing else: ``on``, ``true``,
    ``yes`` and ``1`` are true. Raises ``ArgumentsError`` with all that does not fit.
    """
    known = {argument.name: argument for argument in offer.arguments}
    problems = {name: "there is no such argument" for name in given if name not in known}
    checked: dict[str, Any] = {}
    for name, argument in known.items():
        try:
            if name in given:
                checked[name] = _READERS[argument.type](argument, given[name])
            elif argument.required:
                problems[name] = "is needed"
            elif argument.default is not None:
                checked[name] = argument.default
        except ValueError as error:
            problems[name] = str(error)
    if problems:
        raise ArgumentsError(problems)
    return checked


def _boolean(argument: Argument, given: Any) -> bool:
    words = {
        "on": True,
        "true": True,
        "yes": True,
        "1": True,
        "off": False,
        "false": False,
        "no": False,
        "0": False,
        "": False,
    }
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.strip().lower() in words:
        return words[given.strip().lower()]
    raise ValueError("must be true or false")


def _number(argument: Argument, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        raise ValueError("must be a number")
    try:
        number = float(given)
    except (ValueError, OverflowError):
        raise ValueError("must be a number") from None
    if not -LARGEST <= number <= LARGEST:
        raise ValueError("must be a finite number")
    _check_bounds(argument, number)
    return number


def _integer(argument: Argument, given: Any) -> int:
    number = _number(argument, given)
    if number != int(number) or abs(number) > 2**53:
        raise ValueError("must be a whole number")
    return int(number)


def _check_bounds(argument: Argument, number: float) -> None:
    unit = f" {argument.unit}" if argument.unit else ""
    if argument.minimum is not None and number < argument.minimum:
        raise ValueError(f"must be at least {argument.minimum:g}{unit}")
    if argument.maximum is not None and number > argument.maximum:
        raise ValueError(f"must be at most {argument.maximum:g}{unit}")


def _string(argument: Argument, given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError("must be text")
    longest = MAX_TEXT if argument.type is ArgumentType.TEXT else MAX_STRING
    if argument.maximum is not None:
        longest = min(longest, int(argument.maximum))
    if len(given) > longest:
        raise ValueError(f"must be at most {longest} characters long")
    if argument.minimum is not None and len(given) < argument.minimum:
        raise ValueError(f"must be at least {argument.minimum:g} characters long")
    return given


def _choice(argument: Argument, given: Any) -> str:
    if not isinstance(given, str) or given not in argument.choices:
        raise ValueError("must be one of " + ", ".join(argument.choices))
    return given


def _duration(argument: Argument, given: Any) -> float:
    number = _number(argument, given)
    if number < 0:
        raise ValueError("must not be negative")
    return number


def _datetime(argument: Argument, given: Any) -> float:
    number = _number(argument, given)
    if not 0 <= number <= FAR_FUTURE:
        raise ValueError("must be a time in Unix seconds")
    return number


def _colour(argument: Argument, given: Any) -> str:
    if not isinstance(given, str) or re.fullmatch(r"#[0-9a-fA-F]{6}", given) is None:
        raise ValueError("must be a colour such as #ff8800")
    return given.lower()


_READERS: dict[ArgumentType, Callable[[Argument, Any], Any]] = {
    ArgumentType.BOOLEAN: _boolean,
    ArgumentType.INTEGER: _integer,
    ArgumentType.NUMBER: _number,
    ArgumentType.STRING: _string,
    ArgumentType.TEXT: _string,
    ArgumentType.SECRET: _string,
    ArgumentType.CHOICE: _choice,
    ArgumentType.DURATION: _duration,
    ArgumentType.DATETIME: _datetime,
    ArgumentType.COLOUR: _colour,
}
