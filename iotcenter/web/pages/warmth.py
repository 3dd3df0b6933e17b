"""How warm a temperature feels: the wall displays, in browsers and on consoles, colour it so."""

from __future__ import annotations

from iotcenter.model import Value

WARMTHS = ((0.0, "freezing"), (10.0, "cold"), (18.0, "cool"), (24.0, "mild"), (30.0, "warm"))
"""What to say below so many degrees Celsius; display.js says the same."""

HOT = "hot"

KELVIN = 273.15


def warmth(value: Value | None, unit: str) -> str:
    """How warm a temperature feels, in a word; empty for what is none."""
    if isinstance(value, bool | str) or value is None or unit not in ("Cel", "K"):
        return ""
    degrees = value - KELVIN if unit == "K" else value
    return next((word for below, word in WARMTHS if degrees < below), HOT)
