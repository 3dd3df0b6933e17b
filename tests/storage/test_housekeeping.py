from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock

from iotcenter.model import Reading
from iotcenter.storage import housekeeping, retention
from iotcenter.storage.answers import BucketColumns, Question
from iotcenter.storage.devices import Devices
from iotcenter.storage.errors import DiskFull
from iotcenter.storage.housekeeping import EVERY, Housekeeping, give_back, remove_some
from iotcenter.storage.retention import Earliest, Keep
from iotcenter.wire.messages import MAX_READINGS, Report
from tests.storage.support import GARDEN, KITCHEN, NOW, ReadingsCase, report

DAY = 86400.0


class HousekeepingCase(ReadingsCase):
    """A test with a house that is kept, step by step as the test lets time pass."""

    async def prepare(self) -> None:
        await super().prepare()
        self.patch(retention, "ROWS_AT_ONCE", 500)
        self.readings.start()
        self.clock = Clock()
        self.now = NOW
        self.housekeeping = Housekeeping(self.database, self.clock, self.readings)
        self.devices = Devices(self.database, self.housekeeping.wake)
        self.addCleanup(self.housekeeping.stop)

    async def keep_house(self, **keep: int) -> None:
        """Begin, and go on until nothing is left to do."""
        self.housekeeping.start(Keep(**keep), lambda: self.now)
        await self.rested()

    async def rested(self) -> None:
        """Go on until nothing is left to do."""
        await self.until(lambda: any(call.getTime() - self.clock.seconds() > EVERY / 2 for call in self.waiting()))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let time pass until ``condition`` holds."""
        for _ in range(1000):
            await self.database.write(lambda _: None)
            await self.readings.written()
            if condition():
                return
            if any(call.getTime() - self.clock.seconds() < 1 for call in self.waiting()):
                self.clock.advance(1)
        self.fail("it goes on and on")

    def waiting(self) -> list[Any]:
        """What waits for its time."""
        return list(self.clock.getDelayedCalls())

    async def measure(self, days: int, count: int = MAX_READINGS, device: str = KITCHEN) -> None:
        """Readings of ``count`` a day, on the days up to now."""
        for day in range(days):
            readings = tuple(Reading("t", float(at), NOW - day * DAY - at * 10) for at in range(count))
            await self.store(Report(1, 1 + day * count, readings), device)

    def counts(self) -> list[int]:
        """How many rows there are: of readings, minutes, hours, days, and series."""
        tables = ("reading", "minute", "hour", "day", "series")
        return [self.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables]


class RemovingTests(HousekeepingCase):
    """Readings of a device that was removed."""

    async def test_removed(self) -> None:
        """They are deleted a little at a time, whoever reports meanwhile, and in the end nothing is left of them."""
        await self.measure(3)
        await self.store(report(1, 1.0, 2.0), GARDEN)
        await self.keep_house()
        await self.devices.remove(KITCHEN)
        await self.until(lambda: 0 < self.counts()[0] < 3 * MAX_READINGS)
        await self.store(report(3, 3.0), GARDEN)
        await self.rested()
        self.assertEqual(self.counts(), [3, 0, 0, 1, 1])

    async def test_interrupted(self) -> None:
        """A server that ends before it is done goes on at its next start."""
        await self.measure(3)
        await self.devices.remove(KITCHEN)
        await self.keep_house()
        self.assertEqual(self.counts(), [0] * 5)

    async def test_room(self) -> None:
        """The file shrinks by what was deleted, but for a little."""
        await self.measure(20)
        size = "SELECT page_count FROM pragma_page_count"
        [(before,)] = self.rows(size)
        await self.devices.remove(KITCHEN)
        await self.keep_house()
        [(after,)] = self.rows(size)
        self.assertLess(after, before / 2)
        self.assertEqual(self.rows("PRAGMA integrity_check"), [("ok",)])

    async def test_room_by_steps(self) -> None:
        """Each step gives back as many pages as it may: so gigabytes are back within minutes."""
        self.patch(housekeeping, "PAGES_AT_ONCE", 10)
        await self.measure(20)
        await self.devices.remove(KITCHEN)
        while await self.database.write(remove_some):
            pass
        size = "SELECT page_count FROM pragma_page_count"
        [(before,)] = self.rows(size)
        self.assertTrue(await self.database.write(give_back))
        self.assertEqual(self.rows(size), [(before - 10,)])


class RetainingTests(HousekeepingCase):
    """What is kept, and for how long."""

    async def buckets(self, step: float) -> BucketColumns:
        """All that is known, summed up."""
        found = await self.readings.query(Question(KITCHEN, "t", 0, NOW + DAY, step))
        assert isinstance(found, BucketColumns)
        return found

    async def test_raw(self) -> None:
        """Raw readings go after their time; their minutes stay."""
        await self.measure(4)
        before = await self.buckets(60)
        await self.keep_house(raw=2)
        self.assertEqual(self.rows(f"SELECT 1 FROM reading WHERE time < {(NOW // DAY - 2) * DAY * 1000}"), [])
        self.assertEqual(await self.buckets(60), before)

    async def test_few(self) -> None:
        """So do those that had no minutes yet, being few."""
        await self.measure(4, count=30)
        self.assertEqual(self.counts()[1:3], [0, 0])
        before = await self.buckets(60)
        await self.keep_house(raw=2)
        self.assertEqual(await self.buckets(60), before)

    async def test_tiers(self) -> None:
        """Minutes, hours and days go after theirs; what is coarser stays."""
        await self.measure(6)
        days = await self.buckets(DAY)
        await self.keep_house(raw=1, minutes=2, hours=3)
        self.assertEqual(await self.buckets(DAY), days)
        self.assertEqual(sum((await self.buckets(3600)).count), sum(days.count))

    async def test_too_late(self) -> None:
        """What comes later than raw readings are kept is refused, and says why; what is summed up already stays so."""
        await self.measure(4)
        await self.keep_house(raw=2)
        days = await self.buckets(DAY)
        outcome = await self.store(report(1, 1.0, time=NOW - 3 * DAY, boot=2))
        self.assertIn("too late", outcome.refused[0].reason)
        self.assertEqual(await self.buckets(DAY), days)
        self.assertEqual((await self.store(report(2, 1.0, time=NOW - 2 * DAY, boot=2))).refused, ())

    async def test_longer_again(self) -> None:
        """What is to be kept for longer from now on begins with what is there: nothing is taken in before it."""
        await self.measure(4)
        await self.keep_house(raw=2)
        self.housekeeping.stop()
        await self.keep_house(raw=30)
        self.assertEqual(len((await self.store(report(1, 1.0, time=NOW - 3 * DAY, boot=2))).refused), 1)

    async def test_woken_meanwhile(self) -> None:
        """What is to be done when a round is past it is done in another one, and not an hour later."""
        await self.measure(4)
        self.housekeeping.start(Keep(), lambda: self.now)
        await self.until(lambda: bool(self.rows("SELECT 1 FROM growth")))
        await self.readings.set_keep(KITCHEN, "t", Keep(raw=2))
        self.housekeeping.wake()
        await self.rested()
        self.assertEqual(self.rows(f"SELECT 1 FROM reading WHERE time < {(NOW // DAY - 2) * DAY * 1000}"), [])

    async def test_day_by_day(self) -> None:
        """Each day one more day goes."""
        await self.measure(4)
        await self.keep_house(raw=2)
        before = self.counts()[0]
        self.now += DAY
        self.clock.advance(EVERY)
        await self.rested()
        self.assertEqual(before - self.counts()[0], MAX_READINGS)

    async def test_wrong_clock(self) -> None:
        """A clock that is years ahead for a moment costs two days at most."""
        await self.measure(8)
        await self.keep_house(raw=4)
        before = self.counts()[0]
        self.now += 3650 * DAY
        self.housekeeping.wake()
        await self.rested()
        self.assertLessEqual(before - self.counts()[0], 2 * MAX_READINGS)

    async def test_own_rule(self) -> None:
        """A series may have a rule of its own; its minutes are kept at least as long as its readings."""
        await self.measure(6)
        await self.readings.set_keep(KITCHEN, "t", Keep(raw=4, minutes=1))
        await self.keep_house(raw=2)
        first = int(NOW // DAY) - 4
        self.assertEqual(self.rows("SELECT raw_from, minutes_from FROM series"), [(first, first)])

    async def test_told_first(self) -> None:
        """Whoever acknowledges is told from when on readings are kept; what was acknowledged before is still stored."""
        await self.measure(4)
        told: list[Earliest] = []

        def refuse_older(earliest: Earliest) -> None:
            told.append(earliest)
            self.acknowledge(report(1, 1.0, time=NOW - 3 * DAY, boot=2))

        self.readings.refuse_older = refuse_older
        await self.keep_house(raw=2)
        begins = (NOW // DAY - 2) * DAY
        self.assertEqual(told, [Earliest({KITCHEN: {"t": begins}}, begins)])
        self.assertEqual((await self.readings.accounts())[KITCHEN].refused, 0)
        self.assertEqual((await self.readings.earliest()).series, told[0].series)


class TroubleTests(HousekeepingCase):
    """When a step cannot be taken."""

    async def test_disk_full(self) -> None:
        """It is put off until the next round, and logged in a line."""
        failing = [DiskFull(), DiskFull()]

        def step(connection: object) -> bool:
            if failing:
                raise failing.pop()
            return False

        self.patch(housekeeping, "_reckon_some", step)
        await self.measure(1)
        await self.devices.remove(KITCHEN)
        await self.keep_house()
        self.assertNotEqual(self.counts()[0], 0)
        self.clock.advance(EVERY)
        await self.rested()
        self.clock.advance(EVERY)
        await self.rested()
        self.assertEqual(self.counts()[0], 0)

    async def test_end(self) -> None:
        """At the end nothing waits any more."""
        await self.keep_house()
        self.housekeeping.stop()
        self.assertEqual(self.waiting(), [])
