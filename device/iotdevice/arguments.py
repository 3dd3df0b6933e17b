"""A command's arguments, read off its function: annotations give types and limits, defaults what may be left out."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import UNSET, ValidationError, msgpack, structs

from iotcenter.model import Argument, ArgumentType, CommandOffer
from iotcenter.wire.arguments import ArgumentsError, check_arguments
from iotdevice.docstrings import explain


class DeclarationError(Exception):
    """The application declares something that cannot be; the text names the function."""


@dataclass(frozen=True)
class Limits:
    """What an argument may be, in its annotation: ``Annotated[int, Limits(minimum=0, maximum=60, unit="s")]``.

    ``minimum`` and ``maximum`` bound numbers, durations (in seconds), and the length of strings.
    """

    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    label: str = ""


Secret = Annotated[str, ArgumentType.SECRET]
"""A string that is neither shown nor logged."""

Text = Annotated[str, ArgumentType.TEXT]
"""A string of several lines."""

Colour = Annotated[str, ArgumentType.COLOUR]
"""A colour such as ``#ff8800``."""

_PLAIN: dict[Any, ArgumentType] = {
    bool: ArgumentType.BOOLEAN,
    int: ArgumentType.INTEGER,
    float: ArgumentType.NUMBER,
    str: ArgumentType.STRING,
    timedelta: ArgumentType.DURATION,
    datetime: ArgumentType.DATETIME,
}


@dataclass(frozen=True)
class Parameter:
    """One argument: as the server sees it, and how the function's own value is made of what comes over the link."""

    argument: Argument
    convert: Callable[[Any], Any]


@dataclass(frozen=True)
class Signature:
    """A command's function, as its server sees it."""

    offer: CommandOffer
    converters: Mapping[str, Callable[[Any], Any]]

    def bind(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments to call the function with; for those left out it has its own defaults.

        Raises ``ArgumentsError`` where ``given`` does not fit.
        """
        checked = check_arguments(self.offer, given)
        return {name: self._converted(name, checked[name]) for name in given}

    def _converted(self, name: str, value: Any) -> Any:
        try:
            return self.converters[name](value)
        except (ValueError, OverflowError):
            raise ArgumentsError({name: "is out of range"}) from None


def read_signature(function: Callable[..., Any], label: str, confirm: bool) -> Signature:
    """What ``function`` takes. Raises ``DeclarationError`` where a server could not ask for that."""
    name = function.__name__
    hints = _hints(function)
    text, helps = explain(inspect.getdoc(function) or "", inspect.signature(function).parameters)
    parameters = [
        _parameter(name, parameter, hints.get(parameter.name), helps.get(parameter.name, ""))
        for parameter in inspect.signature(function).parameters.values()
    ]
    arguments = tuple(parameter.argument for parameter in parameters)
    offer = valid(CommandOffer(name=name, label=label, help=text, arguments=arguments, confirm=confirm), name)
    _check_defaults(offer)
    return Signature(offer, {parameter.argument.name: parameter.convert for parameter in parameters})


def valid(noun: Any, name: str) -> Any:
    """``noun`` itself, if it keeps the model's limits, which Python does not look at. Raises ``DeclarationError`` if
    not."""
    try:
        return msgpack.decode(msgpack.encode(noun), type=type(noun))
    except (ValidationError, TypeError, ValueError, OverflowError) as error:
        raise DeclarationError(f"{name}: {error}") from None


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except Exception as error:
        raise DeclarationError(f"{function.__name__}: its annotations cannot be read: {error}") from None


def _parameter(function: str, parameter: inspect.Parameter, hint: Any, help: str) -> Parameter:
    where = f"{function}: argument {parameter.name!r}"
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise DeclarationError(f"{where} must be an ordinary one, that can be given by its name")
    default = UNSET if parameter.default is parameter.empty else parameter.default
    if hint is None:
        if type(default) not in _PLAIN:
            raise DeclarationError(f"{where} needs an annotation, such as {parameter.name}: bool")
        hint = type(default)
    plain, marks = _unwrapped(hint)
    type_, choices, forth, back = _kind(where, plain, marks)
    limits = next((mark for mark in marks if isinstance(mark, Limits)), Limits())
    argument = Argument(
        name=parameter.name,
        type=type_,
        label=limits.label,
        help=help,
        required=default is UNSET,
        default=None if default in (UNSET, None) else _default(where, default, back),
        minimum=limits.minimum,
        maximum=limits.maximum,
        choices=choices,
        unit=limits.unit or ("s" if type_ is ArgumentType.DURATION else ""),
    )
    return Parameter(argument, forth)


def _unwrapped(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """The plain type of an annotation, and what ``Annotated`` says of it; ``X | None`` is taken as ``X``."""
    marks: tuple[Any, ...] = ()
    while True:
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            marks += tuple(more)
        elif get_origin(hint) in (Union, types.UnionType) and len(some := _without_none(hint)) == 1:
            hint = some[0]
        else:
            return hint, marks


def _without_none(hint: Any) -> list[Any]:
    return [option for option in get_args(hint) if option is not types.NoneType]


_Same = Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _kind(where: str, plain: Any, marks: tuple[Any, ...]) -> tuple[ArgumentType, tuple[str, ...], _Same, _Same]:
    """The argument's type and choices, and the ways from the link to the function, and back."""
    marked = next((mark for mark in marks if isinstance(mark, ArgumentType)), None)
    if marked is not None and plain is str:
        return marked, (), _same, _same
    if plain is timedelta:
        return ArgumentType.DURATION, (), lambda seconds: timedelta(seconds=seconds), timedelta.total_seconds
    if plain is datetime:
        return ArgumentType.DATETIME, (), lambda seconds: datetime.fromtimestamp(seconds, UTC), datetime.timestamp
    if plain in _PLAIN:
        return _PLAIN[plain], (), plain if plain in (int, float) else _same, _same
    if get_origin(plain) is Literal and all(isinstance(choice, str) for choice in get_args(plain)):
        return ArgumentType.CHOICE, get_args(plain), _same, _same
    if inspect.isclass(plain) and issubclass(plain, Enum):
        members = {_choice(member): member for member in plain}
        return ArgumentType.CHOICE, tuple(members), members.__getitem__, _choice
    raise DeclarationError(
        f"{where} cannot be asked for: it may be bool, int, float, str, a Literal of strings, an Enum, timedelta, "
        "datetime, or Secret, Text or Colour of iotdevice"
    )


def _choice(member: Enum) -> str:
    """What an Enum's member is called in the form: its value where that is a string, its name where not."""
    return member.value if isinstance(member.value, str) else member.name


def _default(where: str, default: Any, back: _Same) -> Any:
    try:
        return back(default)
    except (TypeError, AttributeError, ValueError, OverflowError):
        raise DeclarationError(f"{where}: its default {default!r} is not of its type") from None


def _check_defaults(offer: CommandOffer) -> None:
    """A default that its own limits refuse would surprise only the one who sends the command."""
    given = {argument.name: argument.default for argument in offer.arguments if argument.default is not None}
    lenient = structs.replace(
        offer, arguments=tuple(structs.replace(argument, required=False) for argument in offer.arguments)
    )
    try:
        check_arguments(lenient, given)
    except ArgumentsError as error:
        raise DeclarationError(f"{offer.name}: a default is outside its own limits: {error}") from None
