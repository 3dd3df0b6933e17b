"""What may be stored: a reading at its place in time, or the reason why it cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from iotcenter.model import LARGEST, Reading, Value
from iotcenter.storage.times import EARLIEST, MOST_AHEAD, fault

LONGEST_TEXT = 255
"""Characters of a text: room for a state or a short message."""


PLAIN = frozenset({float, bool})
"""Types of values that are stored as they are."""


class Unfit(Exception):
    """Why a reading will never be stored, in words for the device's owner."""


def fit(reading: Reading, received: float) -> Reading:
    """The reading as it is stored, its numbers as floats. Raises ``Unfit``."""
    if (  # as nearly always: it passes all that is asked below
        type(reading.value) is float
        and -LARGEST <= reading.value <= LARGEST
        and EARLIEST <= reading.time <= received + MOST_AHEAD
    ):
        return reading
    reason = fault(reading.time, received)
    if reason is not None:
        raise Unfit(reason)
    value = _fit_value(reading.value)
    return reading if value is reading.value else Reading(reading.name, value, reading.time)


def all_fit(times: Sequence[float], values: Sequence[Any], received: float, begins: float) -> bool:
    """Whether ``fit`` gives readings of these ``times`` and ``values`` back as they are, and none is from before
    ``begins``. It takes a fraction of asking for each. A few that would pass do not: texts, say."""
    if min(times) < max(begins, EARLIEST) or max(times) > received + MOST_AHEAD:
        return False
    return PLAIN.issuperset(map(type, values)) and isfinite(sum(values) + sum(times))


def _fit_value(value: Value) -> Value:
    """Decoding lets nothing else in; who makes readings by other ways is held to the same."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _fit_text(value)
    if not -LARGEST <= value <= LARGEST:
        raise Unfit("its value is not a finite number")
    return value if isinstance(value, float) else float(value)


def _fit_text(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise Unfit(f"its text is longer than {LONGEST_TEXT} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unfit("its text is not valid Unicode") from None
    return text
