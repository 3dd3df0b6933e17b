from __future__ import annotations

import math
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import Reading
from iotcenter.storage.fitting import LONGEST_TEXT, Unfit, all_fit, fit

NOW = 1_764_000_000.0


class FittingTests(SynchronousTestCase):
    """What may be stored."""

    def test_as_it_is(self) -> None:
        """A reading that needs no change is not made anew."""
        for value in (20.5, True, "open"):
            reading = Reading("t", value, NOW)
            self.assertIs(fit(reading, NOW), reading)

    def test_integer(self) -> None:
        """A whole number is a number like any other: what is kept as an integer is a truth value."""
        fitted = fit(Reading("t", 3, NOW), NOW)
        self.assertEqual((fitted.value, type(fitted.value)), (3.0, float))

    def test_unfit(self) -> None:
        """What cannot be shown again as it was is refused, with the reason."""
        cases: list[tuple[Any, float, str]] = [
            (math.nan, NOW, "not a finite number"),
            (math.inf, NOW, "not a finite number"),
            (10**400, NOW, "not a finite number"),
            ("x" * (LONGEST_TEXT + 1), NOW, "longer than 255 characters"),
            ("\ud800", NOW, "not valid Unicode"),
            (1.0, 2.0**28, "before the year 2001"),
        ]
        for value, time, reason in cases:
            with self.assertRaises(Unfit) as caught:
                fit(Reading("t", value, time), NOW)
            self.assertIn(reason, str(caught.exception))

    def test_all_at_once(self) -> None:
        """Readings that need no change are seen to be so at once, and one that does among them is never missed."""
        times, values = [NOW, NOW + 1.0, NOW - 5.0], [20.5, True, -1e308]
        self.assertTrue(all_fit(times, values, NOW, NOW - 5.0))
        self.assertFalse(all_fit(times, values, NOW, NOW - 4.0))
        for place in range(3):
            for value in (math.nan, math.inf, -math.inf, 3, 10**400, "open", "\ud800"):
                self.assertFalse(all_fit(times, [*values[:place], value, *values[place + 1 :]], NOW, 0.0), value)
            for time in (math.nan, math.inf, 2.0**28, NOW + 90_000.0, -3.0):
                self.assertFalse(all_fit([*times[:place], time, *times[place + 1 :]], values, NOW, 0.0), time)
