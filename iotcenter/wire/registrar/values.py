"""What a DATA message of the registrar protocol means: readings, or a line for the device's log."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from iotcenter.model import LARGEST, Reading, is_series_name

_PAIR = re.compile(r"(?P<name>[^\s,=]+)=(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_BETWEEN = re.compile(r"\s*,\s*|\s+")


class _Values(msgspec.Struct):
    """The one JSON object that holds readings."""

    values: dict[str, float | bool]


_json = msgspec.json.Decoder(_Values)


def readings_of(message: str) -> tuple[Reading, ...]:
    """The readings in ``message``, of this moment: ``{"values": {name: number}}``, or ``name=value`` pairs between
    blanks or commas.

    Empty where it is anything else, or where any name or number in it does not fit: then it is a line of text.
    """
    values = _from_json(message) if message.lstrip().startswith("{") else _from_pairs(message)
    if not all(is_series_name(name) and -LARGEST <= value <= LARGEST for name, value in values.items()):
        return ()
    return tuple(Reading(name, value) for name, value in values.items())


def _from_json(message: str) -> dict[str, Any]:
    try:
        return dict(_json.decode(message).values)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return {}


def _from_pairs(message: str) -> dict[str, Any]:
    pairs = [_PAIR.fullmatch(pair) for pair in _BETWEEN.split(message.strip())]
    return {pair["name"]: float(pair["number"]) for pair in pairs if pair} if all(pairs) else {}
