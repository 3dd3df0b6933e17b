"""When a device was here."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.attendance import SLOT, SLOTS, Attendance

NOW = 1_795_305_600.0
"""The beginning of a half-hour."""


class AttendanceTests(SynchronousTestCase):
    """A day in half-hours."""

    def test_parts(self) -> None:
        """Each half-hour says how long the device was here in it."""
        here = Attendance()
        here.came(NOW + SLOT / 2)
        here.went(NOW + 2 * SLOT + SLOT / 4)
        self.assertEqual(here.seconds(NOW + 2 * SLOT + SLOT / 2)[-4:], (0.0, 900.0, 1800.0, 450.0))
        self.assertEqual(here.seconds(NOW + 3 * SLOT + 60)[-4:], (900.0, 1800.0, 450.0, 0.0))
        self.assertEqual(here.seconds(NOW + 100 * SLOT), (0.0,) * SLOTS)

    def test_kept(self) -> None:
        """It outlives a restart, in which the device is not here; what cannot be read is forgotten."""
        here = Attendance()
        here.came(NOW)
        here.note(NOW + SLOT)
        again = Attendance(here.pack())
        self.assertLess(len(here.pack()), 110)
        self.assertEqual(again.seconds(NOW + 2 * SLOT)[-3:], (1800.0, 0.0, 0.0))
        self.assertEqual(Attendance(b"x").seconds(NOW), (0.0,) * SLOTS)

    def test_here_all_the_time(self) -> None:
        """A device that stays for days was here in every half-hour, however seldom it is counted."""
        here = Attendance()
        here.came(NOW)
        self.assertEqual(here.seconds(NOW + 5 * 86400 + 60), (*[SLOT] * (SLOTS - 1), 60.0))

    def test_the_clock_is_set(self) -> None:
        """A jump of the clock makes no presence out of nothing, in either direction."""
        for jump in (-7 * 86400.0, -3600.0, 3600.0, 7 * 86400.0):
            here = Attendance()
            here.came(NOW)
            here.note(NOW + 60)
            here.shift(jump)
            seconds = here.seconds(NOW + 120 + jump)
            self.assertLessEqual(sum(seconds), 120)
        here.note(NOW - 10**10)
        here.pack()
