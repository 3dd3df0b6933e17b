"""The strip of a device's last day."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.attendance import SLOT, SLOTS
from iotcenter.web.pages.link import _strip

NOW = 1_795_305_600.0 + SLOT / 2
"""The middle of a half-hour."""


class StripTests(SynchronousTestCase):
    """What is said of each half-hour, and of the day."""

    def test_words(self) -> None:
        """All, some, none, and nothing of the time before the device was added, which counts for nothing."""
        seconds = [0.0] * (SLOTS - 4) + [0.0, 900.0, SLOT - 5, SLOT / 2 - 1]
        strip, here = _strip(tuple(seconds), NOW - 3.5 * SLOT, NOW)
        self.assertEqual([half.here for half in strip[-5:]], ["before", "none", "some", "all", "all"])
        self.assertEqual(here, round(100 * sum(seconds) / (3.5 * SLOT)))

    def test_new(self) -> None:
        """A device that was added this moment was never away."""
        strip, here = _strip((0.0,) * (SLOTS - 1) + (10.0,), NOW - 10, NOW)
        self.assertEqual((strip[-1].here, strip[-2].here, here), ("all", "before", 100))
