"""What may be stored: a reading at its place in time, or the reason why it cannot be."""

from __future__ import annotations

from iotcenter.model import LARGEST, Reading, Value
from iotcenter.storage.times import EARLIEST, MOST_AHEAD, fault

LONGEST_TEXT = 255
"""Characters of a text: room for a state or a short message."""


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
