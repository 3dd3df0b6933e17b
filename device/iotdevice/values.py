"""What an application's functions return, looked at before it goes any further."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from iotcenter.model import MAX_RESULT, MAX_SHORT_TEXT, Value
from iotdevice.app import Sensor
from iotdevice.errors import printable
from iotdevice.upload import Upload


class BadValue(Exception):
    """A value cannot be sent; the text says what it is: ``a list, which is no number, truth value or text``."""


def readings_of(sensor: Sensor, returned: Any) -> dict[str, Value]:
    """The readings in what ``sensor`` returned, by their series' names. Raises ``BadValue``."""
    if returned is None:
        return {}
    if not sensor.several:
        return {sensor.name: value_of(returned)}
    if not isinstance(returned, Mapping):
        raise BadValue(f"{_kind(returned)}, and not the values of its series by their names")
    declared = [series.name for series in sensor.series]
    unknown = [name for name in returned if name not in declared]
    if unknown:
        raise BadValue(f"a value for {unknown[0]!r}, which is not among its series")
    return {name: value_of(returned[name]) for name in declared if returned.get(name) is not None}


def value_of(value: Any) -> Value:
    """``value`` as a reading holds it: a truth value, a finite number, or a short text. Raises ``BadValue``."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if len(value) > MAX_SHORT_TEXT:
            raise BadValue(f"a text of {len(value)} characters; {MAX_SHORT_TEXT} are allowed")
        return _unicode(value)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadValue(f"{_kind(value)}, which is no number, truth value or text") from None
    if not math.isfinite(number):
        raise BadValue(f"{number}, which is no number")
    return number


def result_of(returned: Any) -> Any:
    """What a command returned, as its sender gets it: what JSON can say, within bounds. Raises ``BadValue``.

    An upload is shown by itself; in its place stands its name.
    """
    if isinstance(returned, Upload):
        return printable(returned.name)
    try:
        text = msgspec.json.encode(returned)
        result = msgspec.json.decode(text)
        msgspec.msgpack.encode(result)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise BadValue(f"{_kind(returned)}, which cannot be sent: numbers, texts, lists and dictionaries can") from None
    if len(text) > MAX_RESULT:
        raise BadValue(f"{len(text)} bytes; {MAX_RESULT} are allowed")
    return result


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _unicode(text: str) -> str:
    """``text`` without the class of its own that it may have, such as an Enum's: not everything can send those."""
    try:
        return text.encode().decode()
    except UnicodeEncodeError:
        raise BadValue("a text that is not Unicode") from None
