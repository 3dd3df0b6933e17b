from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.storage.times import EARLIEST, MOST_AHEAD, MOST_OFF, fault, place, shift_of

NOW = 1_764_000_000.0


class TimesTests(SynchronousTestCase):
    """When something was measured."""

    def test_absolute(self) -> None:
        """A time from 1978 on is one."""
        self.assertEqual(place(NOW - 5, NOW), NOW - 5)
        self.assertEqual(place(2.0**28, NOW), 2.0**28)

    def test_relative(self) -> None:
        """A smaller one counts from when it was received, and no clock sets that right."""
        self.assertEqual(place(-12.5, NOW), NOW - 12.5)
        self.assertEqual(place(0.0, NOW, shift=1000.0), NOW)

    def test_good_clock(self) -> None:
        """Times of a clock that is nearly right stay as they are."""
        self.assertEqual(shift_of(NOW - MOST_OFF, NOW), 0)
        self.assertEqual(shift_of(NOW + MOST_OFF, NOW), 0)

    def test_wrong_clock(self) -> None:
        """Times of a clock that is wrong, even one that was never set, move by as much as it is off."""
        self.assertEqual(shift_of(NOW - 3600, NOW), 3600)
        self.assertEqual(shift_of(2.0, NOW), NOW - 2)
        self.assertEqual(place(NOW - 3605, NOW, shift=3600), NOW - 5)

    def test_no_clock(self) -> None:
        """A device that has no clock is not off."""
        self.assertEqual(shift_of(0.0, NOW), 0)

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
