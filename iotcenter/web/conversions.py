"""Units for those who grew up with others: what values that a device measured become before they are shown.

``web/static/conversions.js`` does the same in the browser; ``tests/web/pages/formats.json`` holds both to one result.
"""

from __future__ import annotations

from dataclasses import dataclass

from iotcenter.model import UnitSystem


@dataclass(frozen=True)
class Conversion:
    """To ``unit``: a value becomes ``(value + before) * factor + after``, and has ``finer`` more decimals, where its
    series declares them."""

    unit: str
    factor: float
    before: float = 0.0
    after: float = 0.0
    finer: int = 0

    def value(self, value: float) -> float:
        """``value`` in the other unit."""
        return (value + self.before) * self.factor + self.after

    def decimals(self, decimals: int | None) -> int | None:
        """How many decimals it has there."""
        return None if decimals is None else decimals + self.finer


CONVERSIONS = {
    UnitSystem.DECLARED: {},
    UnitSystem.IMPERIAL: {
        "Cel": Conversion("degF", 1.8, after=32.0),
        "km": Conversion("mi", 0.621371192237334),
        "m": Conversion("ft", 3.280839895013123),
        "cm": Conversion("in", 0.3937007874015748),
        "mm": Conversion("in", 0.03937007874015748, finer=1),
        "m2": Conversion("ft2", 10.763910416709722),
        "m3": Conversion("ft3", 35.31466672148859),
        "m3/s": Conversion("ft3/s", 35.31466672148859),
        "l": Conversion("gal", 0.26417205235814845, finer=1),
        "l/s": Conversion("gal/min", 15.850323141488907),
        "m/s": Conversion("mph", 2.2369362920544025),
        "km/h": Conversion("mph", 0.621371192237334),
        "kg": Conversion("lb", 2.2046226218487757),
        "g": Conversion("oz", 0.03527396194958041, finer=1),
        "kPa": Conversion("psi", 0.14503773773020923, finer=1),
        "hPa": Conversion("inHg", 0.029529983071445, finer=2),
    },
    UnitSystem.METRIC: {
        "degF": Conversion("Cel", 0.5555555555555556, before=-32.0),
        "mi": Conversion("km", 1.609344),
        "ft": Conversion("m", 0.3048, finer=1),
        "in": Conversion("cm", 2.54),
        "ft2": Conversion("m2", 0.09290304, finer=1),
        "ft3": Conversion("m3", 0.028316846592, finer=2),
        "gal": Conversion("l", 3.785411784),
        "gal/min": Conversion("l/s", 0.0630901964, finer=1),
        "mph": Conversion("km/h", 1.609344),
        "lb": Conversion("kg", 0.45359237),
        "oz": Conversion("g", 28.349523125),
        "psi": Conversion("kPa", 6.894757293168361),
        "inHg": Conversion("hPa", 33.86388666666667),
    },
}
"""By the units that devices declare. No unit of a system is converted again in it, so that converting twice does no
harm."""


def conversion(unit: str, system: UnitSystem) -> Conversion | None:
    """How values in ``unit`` are shown to somebody; None where as they are."""
    return CONVERSIONS[system].get(unit)
