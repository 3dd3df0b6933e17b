"""Values as people write them: numbers, units, bytes and lengths of time.

``web/static/format.js`` does the same in the browser; ``tests/web/pages/formats.json`` holds both to one result.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal

from iotcenter.model import UnitSystem, Value
from iotcenter.texts import N_, _, gettext
from iotcenter.web.conversions import conversion

UNITS = {
    "Cel": "°C",
    "degF": "°F",
    "%RH": "%",
    "%EL": "%",
    "/100": "%",
    "/1000": "‰",
    "Ohm": "Ω",
    "deg": "°",
    "lat": "°",
    "lon": "°",
    "l": "L",
    "l/s": "L/s",
    "m2": "m²",
    "m3": "m³",
    "m3/s": "m³/s",
    "ft2": "ft²",
    "ft3": "ft³",
    "ft3/s": "ft³/s",
    "m/s2": "m/s²",
    "W/m2": "W/m²",
    "cd/m2": "cd/m²",
    "kg/m3": "kg/m³",
    "ug/m3": "µg/m³",
    "1/s": N_("per s"),
    "1/min": N_("per min"),
    "beat/min": N_("bpm"),
    "beats": N_("beats"),
    "count": "",
    "/": "",
}
"""SenML's symbols (RFC 8428 and RFC 8798) that people write in another way; all others are shown as they are."""

BYTES = {"B": "", "B/s": "/s"}
"""Units that grow too large to read: they are shown in kB, MB and so on, with what stands here behind it."""

PREFIXES = ("B", "kB", "MB", "GB", "TB", "PB")

COUNTED = ("", "count", "/")
"""Units in which a whole number is a count, and is shown without decimals."""

LARGE = 1e12
"""From here on, and below ``SMALL``, numbers are shown with an exponent: nobody counts so many digits."""

SMALL = 1e-3

LONG = 120.0
"""Seconds from which a length of time is shown in words, unless its series declares decimals."""

MINUS = "\N{MINUS SIGN}"
THIN_SPACE = "\N{NARROW NO-BREAK SPACE}"

# Ties are rounded away from zero, as JavaScript does, so that no digit changes when a page becomes live.
_EXACT = Context(prec=400, rounding=ROUND_HALF_UP)
_THREE = Context(prec=3, rounding=ROUND_HALF_UP)


@dataclass(frozen=True)
class Quantity:
    """A value to show: its text, and the unit to set beside it, which may be empty."""

    text: str
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.unit}".rstrip()


def quantity(
    value: Value, unit: str = "", decimals: int | None = None, system: UnitSystem = UnitSystem.DECLARED
) -> Quantity:
    """``value`` as people write it. Without ``decimals`` a number has three significant digits, a count is whole."""
    if isinstance(value, bool):
        return Quantity(_("on") if value else _("off"))
    if isinstance(value, str):
        return Quantity(value)
    other = conversion(unit, system)
    if other is not None:
        value, unit, decimals = other.value(value), other.unit, other.decimals(decimals)
    if unit in BYTES:
        return _bytes(value, BYTES[unit])
    if unit == "s" and not decimals and LONG <= abs(value) < LARGE:
        return Quantity((MINUS if value < 0 else "") + span(abs(value)))
    if decimals is None and unit in COUNTED and value == int(value) and abs(value) < LARGE:
        decimals = 0
    return Quantity(number(value, decimals), written(unit))


def written(unit: str) -> str:
    """A unit as people write it, in their language."""
    return gettext(UNITS[unit]) if unit in UNITS else unit


def number(value: float, decimals: int | None = None) -> str:
    """``value`` with so many decimals, or with three significant digits."""
    exact = Decimal(value)
    size = abs(value)
    if size >= LARGE or (decimals is None and 0 < size < SMALL):
        mantissa, _e, exponent = f"{_THREE.plus(exact):.2e}".partition("e")
        return f"{mantissa}e{int(exponent)}".replace("-", MINUS).replace(".", point())
    places = _places(exact) if decimals is None else decimals
    digits = f"{exact.quantize(Decimal(1).scaleb(-places), context=_EXACT):f}"
    return _grouped(digits)


def point() -> str:
    """What stands before the decimals where the reader's language is spoken."""
    return _(".")


def span(seconds: float) -> str:
    """A length of time in its two largest units: ``45 s``, ``2 min 5 s``, ``3 d 4 h``."""
    left = int(seconds)
    parts: list[tuple[int, str]] = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts:
            parts.append((count, name))
        if len(parts) == 2:
            break
    return " ".join(f"{count} {name}" for count, name in parts if count) or "0 s"


def _places(exact: Decimal) -> int:
    """How many decimals make three significant digits."""
    return 0 if not exact else max(0, 2 - _THREE.plus(exact).adjusted())


def _bytes(value: float, behind: str) -> Quantity:
    step = 0
    while abs(value) >= 999.5 and step < len(PREFIXES) - 1:
        value /= 1000
        step += 1
    whole = step == 0 and value == int(value)
    return Quantity(number(value, 0 if whole else None), PREFIXES[step] + behind)


def _grouped(digits: str) -> str:
    """``digits`` with a real minus sign, and thin spaces between the thousands where there are five digits and more."""
    sign = MINUS if digits.startswith("-") and digits.strip("-0.") else ""
    whole, _point, rest = digits.lstrip("-").partition(".")
    if len(whole) > 4:
        whole = f"{int(whole):,}".replace(",", THIN_SPACE)
    return sign + whole + (point() + rest if rest else "")
