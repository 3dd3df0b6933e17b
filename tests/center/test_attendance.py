"""When a device was here."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.attendance import SLOT, SLOTS, Attendance
from iotcenter.center.links import LOOK_EVERY, NOTE_EVERY
from iotcenter.model import PresenceState
from tests.center.support import NOW, CenterTestCase


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


class KeptTests(CenterTestCase):
    """What a restart of the server leaves of it."""

    async def written(self) -> None:
        """Wait until all that was to be written is: this is written after it."""
        await self.store.devices.expect(self.device, 0.0)

    async def restart(self) -> None:
        """Stop the center, and have another take up what is kept."""
        self.center.stop()
        await self.open_center()

    async def test_attendance(self) -> None:
        """A device was here for as long as it was before; a server that is killed knows all but the last minute."""
        self.assertEqual(NOW % SLOT, 0)
        self.join()
        for _ in range(10):
            self.clock.pump([LOOK_EVERY] * round(NOTE_EVERY / LOOK_EVERY))
            await self.written()
        await self.restart()
        self.assertGreaterEqual(self.center.devices.attendance("kitchen-pi")[-1], 9 * 60)
        self.assertLessEqual(self.center.devices.attendance("kitchen-pi")[-1], 10 * 60)

    async def test_expected(self) -> None:
        """What its owner expects of a device holds after a restart too, and makes it late."""
        await self.center.devices.expect("kitchen-pi", 5.0, "ann")
        await self.restart()
        self.assertEqual(self.center.devices.get("kitchen-pi").expected, 5.0)
        self.join()
        self.clock.advance(16)
        self.assertEqual(self.center.devices.get("kitchen-pi").state, PresenceState.LATE)
        await self.center.devices.expect("kitchen-pi", 0.0, "ann")
        self.assertEqual(self.center.devices.get("kitchen-pi").state, PresenceState.ONLINE)
