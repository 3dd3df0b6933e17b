from __future__ import annotations

import math
from random import Random

from twisted.internet.defer import gatherResults

from iotcenter.model import Account, Reading
from iotcenter.storage import batch
from iotcenter.storage.admission import MOST_SERIES
from iotcenter.storage.batch import Outcome
from iotcenter.storage.errors import DiskFull, NotFound
from iotcenter.storage.sql import change
from iotcenter.wire.codec import BadReading, DamagedReport
from iotcenter.wire.messages import MAX_READINGS, Refusal, Report
from tests.storage.support import GARDEN, KITCHEN, NOW, FillingDisk, ReadingsCase, report

WHOLE = """
    reading JOIN series ON series.id = series
    JOIN progress ON progress.device = series.device AND progress.number = reading.boot
"""
STORED = f"SELECT progress.boot, sequence, value FROM {WHOLE} ORDER BY 1, 2"


class StoringTests(ReadingsCase):
    """A report's way into the tables."""

    async def test_on_disk(self) -> None:
        """When it is done, another program finds the readings in the file."""
        outcome = await self.store(report(7, 20.5, boot=3))
        self.assertEqual(outcome, Outcome(new=(Reading("t", 20.5, NOW),)))
        self.assertEqual(
            self.rows(f"SELECT series.device, name, time, progress.boot, sequence, value FROM {WHOLE}"),
            [(KITCHEN, "t", NOW * 1000, 3, 7, 20.5)],
        )

    async def test_kinds(self) -> None:
        """Numbers, truth values and texts are told apart by how they are kept."""
        await self.store(report(1, 20, 20.5, True, False, "open"))
        self.assertEqual(
            self.rows("SELECT typeof(value), value FROM reading ORDER BY sequence"),
            [("real", 20.0), ("real", 20.5), ("integer", 1), ("integer", 0), ("text", "open")],
        )

    async def test_exact(self) -> None:
        """A number is kept to the last digit."""
        values = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.1]
        await self.store(report(1, *values))
        self.assertEqual([value for _, _, value in self.rows(STORED)], values)

    async def test_repetition(self) -> None:
        """What comes again changes nothing, and is counted."""
        await self.store(report(1, 1.0, 2.0))
        self.assertEqual(await self.store(report(1, 8.0, 9.0)), Outcome(duplicates=2))
        self.assertEqual(self.rows(STORED), [(1, 1, 1.0), (1, 2, 2.0)])

    async def test_repetition_at_once(self) -> None:
        """So it is where both share a commit."""
        first, again = self.store(report(1, 1.0)), self.store(report(1, 2.0))
        self.assertEqual((await first, await again), (Outcome(new=(Reading("t", 1.0, NOW),)), Outcome(duplicates=1)))

    async def test_repetition_after_restart(self) -> None:
        """So it is where the server was restarted between them."""
        await self.store(report(1, 1.0, 2.0))
        await self.reopen()
        outcome = await self.store(report(2, 9.0, 3.0))
        self.assertEqual(outcome, Outcome(new=(Reading("t", 3.0, NOW + 1),), duplicates=1))
        self.assertEqual(self.rows(STORED), [(1, 1, 1.0), (1, 2, 2.0), (1, 3, 3.0)])

    async def test_boots_and_devices(self) -> None:
        """The same number in another boot, or of another device, is another reading."""
        reports = [(report(1, 1.0), KITCHEN), (report(1, 2.0, boot=2), KITCHEN), (report(1, 3.0), GARDEN)]
        outcomes = await gatherResults([self.store(*each) for each in reports])
        self.assertEqual([len(outcome.new) for outcome in outcomes], [1, 1, 1])
        self.assertEqual(sorted(value for _, _, value in self.rows(STORED)), [1.0, 2.0, 3.0])

    async def test_any_order(self) -> None:
        """Whatever the order and repetition of reports, each reading is there once, and the account says so."""
        random = Random(20261122)
        waiting = []
        for _ in range(400):
            first, count = random.randint(1, 300), random.randint(1, 30)
            values = [float(number) for number in range(first, first + count)]
            waiting.append(self.store(report(first, *values, boot=random.randint(1, 6), time=NOW - 30)))
            if random.random() < 0.1:
                await gatherResults(waiting)
        outcomes = await gatherResults(waiting)
        stored = self.rows(STORED)
        self.assertEqual([(sequence, value) for _, sequence, value in stored if sequence != value], [])
        self.assertEqual(len(stored), sum(len(outcome.new) for outcome in outcomes))
        account = (await self.readings.accounts())[KITCHEN]
        self.assertEqual(account.received, len(stored))
        self.assertEqual(account.duplicates, sum(outcome.duplicates for outcome in outcomes))

    async def test_unknown_device(self) -> None:
        """Reports of a device that is unknown, or was removed, are not stored; others in the same commit are."""
        await self.store(report(1, 1.0), GARDEN)
        await self.devices.remove(GARDEN)
        outcomes = await gatherResults(
            [self.store(report(1, 1.0), "f" * 32), self.store(report(2, 2.0), GARDEN), self.store(report(1, 3.0))]
        )
        self.assertEqual([type(outcome.error) for outcome in outcomes], [NotFound, NotFound, type(None)])
        self.assertEqual(self.rows(STORED), [(1, 1, 3.0)])


class RefusingTests(ReadingsCase):
    """What will never be stored, and what becomes of the rest."""

    async def test_refused(self) -> None:
        """A reading that cannot be is refused with its reason; the rest of its report is kept."""
        outcome = await self.store(report(5, 1.0, math.nan, 3.0))
        self.assertEqual(outcome.refused, (Refusal(6, "its value is not a finite number"),))
        self.assertEqual(self.rows(STORED), [(1, 5, 1.0), (1, 7, 3.0)])

    async def test_refused_once(self) -> None:
        """What was refused counts as having come: nobody is told twice."""
        await self.store(report(1, math.nan))
        self.assertEqual(await self.store(report(1, 1.0)), Outcome(duplicates=1))

    async def test_series_name(self) -> None:
        """A series that cannot have its name is refused."""
        outcome = await self.store(report(1, 1.0, name="a b"))
        self.assertIn("cannot have that name", outcome.refused[0].reason)

    async def test_too_many_series(self) -> None:
        """A device has so many series and no more; those that it has go on."""
        names = [f"s{number}" for number in range(MOST_SERIES + 1)]
        outcome = await self.store(Report(1, 1, tuple(Reading(name, 1.0, NOW) for name in names)))
        self.assertEqual(len(outcome.new), MOST_SERIES)
        self.assertEqual([refusal.sequence for refusal in outcome.refused], [MOST_SERIES + 1])
        self.assertEqual((await self.store(report(1000, 1.0, name="s1"))).refused, ())
        self.assertEqual((await self.store(report(1, 1.0, name="another"), GARDEN)).refused, ())

    async def test_damaged(self) -> None:
        """Of a report that decoded in part, that part is stored, and the rest refused with what was wrong."""
        good = ((0, Reading("t", 1.0, NOW)), (2, Reading("t", math.inf, NOW)))
        damaged = DamagedReport(1, 10, 3, 0.0, good, (BadReading(1, "Expected `float`"),))
        outcome = await self.store(damaged)
        self.assertEqual(outcome.new, (Reading("t", 1.0, NOW),))
        self.assertEqual(
            outcome.refused, (Refusal(11, "Expected `float`"), Refusal(12, "its value is not a finite number"))
        )
        self.assertEqual(await self.store(damaged), Outcome(duplicates=3))
        self.assertEqual(self.rows(STORED), [(1, 10, 1.0)])


class TimingTests(ReadingsCase):
    """When a reading was measured."""

    async def test_impossible(self) -> None:
        """A time that cannot be, and is not set right, is refused."""
        outcome = await self.store(report(1, 1.0, time=NOW + 2 * 86400))
        self.assertIn("ahead of the server's clock", outcome.refused[0].reason)

    async def test_late(self) -> None:
        """What comes over a minute after it was measured is counted as late, in a new series as in a known one."""
        for sequence in (1, 3):
            outcome = await self.store(report(sequence, 1.0, 2.0, time=NOW - 60.5))
            self.assertEqual((len(outcome.new), outcome.late), (2, 1))

    async def test_no_longer_kept(self) -> None:
        """Of a series of which less of the past is kept by now, readings from before are refused, and only they."""
        await self.store(report(1, 1.0))
        day = int(NOW // 86400)
        await self.database.write(lambda connection: change(connection, "UPDATE series SET raw_from = ?", day))
        self.intake.forget()
        outcome = await self.store(report(2, 2.0, 3.0, time=day * 86400 - 1.0))
        self.assertEqual([reading.value for reading in outcome.new], [3.0])
        self.assertEqual([refusal.sequence for refusal in outcome.refused], [2])


class AccountTests(ReadingsCase):
    """The books on a device's readings."""

    async def test_account(self) -> None:
        """It adds up over commits and restarts."""
        await self.store(report(1, 1.0, 2.0, time=NOW - 100))
        await self.store(report(2, 2.0, 3.0))
        await self.reopen()
        await self.store(report(4, 4.0, math.nan))
        await self.store(report(1, 1.0), GARDEN)
        self.assertEqual(
            await self.readings.accounts(),
            {KITCHEN: Account(received=4, duplicates=1, late=2, lost=0, refused=1), GARDEN: Account(received=1)},
        )

    async def test_lost(self) -> None:
        """What the device had to throw away is what was said last, and is there after a restart."""
        for lost, told in ((3, 3), (10, 7)):
            await self.readings.set_lost(KITCHEN, lost, told)
        await self.store(report(1, 1.0))
        await self.reopen()
        self.assertEqual((await self.readings.accounts())[KITCHEN], Account(received=1, lost=10))
        self.assertEqual((await self.readings.lost())[KITCHEN], (10, 7))
        await self.assertFailure(self.readings.set_lost("f" * 32, 1, 1), NotFound)

    async def test_boots_are_forgotten(self) -> None:
        """A device that restarts all the time leaves the last boots that reported, and no more."""
        self.patch(batch, "BOOTS_KEPT", 3)
        for boot in (9, 1, 2, 3, 4):
            await self.store(report(1, 1.0, boot=boot), received=NOW + boot % 9)
        self.assertEqual(self.rows("SELECT boot FROM progress ORDER BY boot"), [(2,), (3,), (4,)])

    async def test_many_boots_at_once(self) -> None:
        """A spool from many boots is known in each of them, in one commit and in many."""
        for boots in ([*range(1, 10)] * 2, [*range(1, 10)]):
            outcomes = await gatherResults([self.store(report(1, 1.0, boot=boot)) for boot in boots])
        self.assertEqual([outcome.duplicates for outcome in outcomes], [1] * 9)
        self.assertEqual(self.rows("SELECT count(*) FROM reading"), [(9,)])


class FailingTests(ReadingsCase):
    """A commit that fails."""

    async def test_disk_full(self) -> None:
        """On a full disk nothing counts as stored, in memory neither; what comes again is stored once there is room."""
        disk = FillingDisk(self, pages=60)
        await self.reopen()
        text = "x" * 200
        large = report(1, *[text] * MAX_READINGS)
        self.assertIsInstance((await self.store(large)).error, DiskFull)
        self.assertEqual((self.rows(STORED), self.rows("SELECT * FROM series")), ([], []))
        self.assertIsInstance((await self.store(large)).error, DiskFull)
        disk.pages = 1000
        self.assertEqual(len((await self.store(large)).new), MAX_READINGS)
        self.assertEqual((await self.store(large)).duplicates, MAX_READINGS)
        self.assertEqual(
            await self.readings.accounts(), {KITCHEN: Account(received=MAX_READINGS, duplicates=MAX_READINGS)}
        )
