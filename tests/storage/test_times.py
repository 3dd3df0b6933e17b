from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.storage.times import EARLIEST, MOST_AHEAD, fault, place

NOW = 1_764_000_000.0


class TimesTests(SynchronousTestCase):
    """When something can have been measured."""

    def test_place(self) -> None:
        """A time from 1978 on is one; a smaller one counts from when it was received."""
        self.assertEqual(place(2.0**28, NOW), 2.0**28)
        self.assertEqual((place(-12.5, NOW), place(0.0, NOW)), (NOW - 12.5, NOW))

    def test_fault(self) -> None:
        """Before 2001 nothing was measured, nor more than a day from now."""
        for time in (EARLIEST, NOW, NOW + MOST_AHEAD):
            self.assertIsNone(fault(time, NOW))
        for time, words in (
            (EARLIEST - 1, "before the year 2001"),
            (-math.inf, "before the year 2001"),
            (math.nan, "before the year 2001"),
            (NOW + MOST_AHEAD + 1, "more than a day ahead"),
            (math.inf, "more than a day ahead"),
        ):
            self.assertIn(words, str(fault(time, NOW)))
