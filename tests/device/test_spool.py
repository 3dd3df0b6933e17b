"""The readings that wait on disk."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from iotcenter.model import Value
from iotdevice import spool_sql
from iotdevice.config import SpoolSettings
from iotdevice.spool import FILE, SPARE_BOOTS, Spool, SpoolError, SpoolLost, Start
from iotdevice.window import START, Row
from tests.device.support import START as NOW
from tests.device.support import Case

MACHINE = "this start of the machine"

KILLED = """
import os, signal, sys
from iotdevice.config import SpoolSettings
from iotdevice.spool import Spool
from iotdevice.window import START, Row
from pathlib import Path
spool = Spool(Path(sys.argv[1]), "device", SpoolSettings(), print)
boot = spool.start("machine", 1.7e9, 1.7e9).boot
for number in range(1, 100_000):
    spool.save([Row(boot, number, "x", float(number), 0.0)], START, START, 0, 0.0)
    print(number, flush=True)
"""


class SpoolTests(Case):
    """The readings that wait on disk."""

    def setUp(self) -> None:
        self.path = self.folder() / FILE
        self.said: list[str] = []

    def spool(self, device: str = "device", settings: SpoolSettings = SpoolSettings()) -> Spool:  # noqa: B008
        """The spool in this test's file."""
        spool = Spool(self.path, device, settings, self.said.append)
        self.addCleanup(spool.close)
        return spool

    def started(self, wall: float = NOW, device: str = "device") -> tuple[Spool, Start]:
        """The spool, open."""
        spool = self.spool(device)
        return spool, spool.start(MACHINE, wall, wall)

    def rows(self, boot: int, first: int, count: int, at: float = 0.0) -> list[Row]:
        """Some readings."""
        return [Row(boot, number, "temperature", number / 2, at) for number in range(first, first + count)]

    def test_boots(self) -> None:
        """No boot number is ever used again, and each is at least the time: so it is new though the file was lost."""
        first, second = self.started()[1].boot, self.started()[1].boot
        self.assertGreaterEqual(first, NOW)
        self.assertGreaterEqual(second, first + SPARE_BOOTS)

    def test_boot_without_clock(self) -> None:
        """Where the machine does not know the time, boot numbers rise all the same."""
        boots = [self.started(wall)[1].boot for wall in (50.0, 20.0, NOW, 30.0)]
        self.assertEqual(boots, sorted(set(boots)))

    def test_values(self) -> None:
        """Numbers, truth values and texts come back as what they were."""
        spool, start = self.started()
        values: list[Value] = [1.5, True, False, "open", 0.0, 1e300]
        spool.save([Row(start.boot, n, "x", value, 2.0) for n, value in enumerate(values, 1)], START, START, 0, 0.0)
        found = spool.read(START, 10)
        self.assertEqual([row.value for row in found], values)
        self.assertEqual([type(row.value) for row in found], [type(value) for value in values])
        self.assertEqual([row.at for row in found], [2.0] * len(values))

    def test_forget(self) -> None:
        """What the server has is forgotten, all up to there, of earlier boots too."""
        spool, start = self.started()
        spool.save(self.rows(5, 1, 3) + self.rows(6, 1, 3), START, START, 0, 0.0)
        spool.save([], (6, 1), START, 0, 0.0)
        self.assertEqual([row.key for row in spool.read(START, 10)], [(6, 2), (6, 3)])
        self.assertEqual([row.key for row in spool.read((6, 2), 10)], [(6, 3)])
        self.assertLess(6, start.boot)

    def test_start_again(self) -> None:
        """The next start goes on with what the last one left."""
        spool, start = self.started()
        spool.save(self.rows(start.boot, 1, 3), START, START, 2, 0.0)
        spool.note_name("kitchen-pi")
        again = self.started()[1]
        self.assertEqual((again.last, again.lost, again.name), ((start.boot, 3), 2, "kitchen-pi"))

    def test_reads_in_order_by_key(self) -> None:
        """Reading and forgetting use the primary key: a full spool is as quick as an empty one."""
        self.started()
        db = sqlite3.connect(self.path)
        self.addCleanup(db.close)
        for query, arguments in ((spool_sql.READ, (0, 1, 1, 1)), (spool_sql.OLDEST, (1, 1, 1))):
            plan = " ".join(str(row[3]) for row in db.execute("EXPLAIN QUERY PLAN " + query, arguments))
            self.assertIn("SEARCH", plan)
            self.assertNotIn("TEMP B-TREE", plan)
            self.assertNotIn("SCAN", plan)

    def test_full(self) -> None:
        """A full spool throws its oldest readings away, but none that are on their way, and counts them."""
        spool = self.spool(settings=SpoolSettings(megabytes=1))
        boot = spool.start(MACHINE, NOW, NOW).boot
        long = "x" * 250
        sent, lost, trimmed = (boot, 50), 0, START
        for first in range(1, 6000, 500):
            rows = [Row(boot, number, "state", long, 0.0) for number in range(first, first + 500)]
            trimmed, lost = spool.save(rows, START, sent, 0, 0.0)
        left = [row.sequence for row in spool.read(START, 10_000)]
        self.assertEqual(left[:50], list(range(1, 51)))
        self.assertEqual(left[50:], list(range(trimmed[1] + 1, 6001)))
        self.assertEqual(lost, 6000 - len(left))
        self.assertLess(self.path.stat().st_size, 3_000_000)
        self.assertEqual(self.started()[1].lost, lost)

    def test_old(self) -> None:
        """Readings that are too old are thrown away, and counted."""
        spool, start = self.started()
        spool.save(self.rows(start.boot, 1, 3, at=0.0) + self.rows(start.boot, 4, 3, at=100.0), START, START, 0, 0.0)
        kept = spool.save([], START, START, 0, NOW + 50)
        self.assertEqual(kept, ((start.boot, 3), 3))

    def test_clock_was_set(self) -> None:
        """Readings taken before the clock was set get their right times, though the agent was started anew
        meanwhile."""
        spool, start = self.started(wall=5.0)
        spool.save(self.rows(start.boot, 1, 1, at=10.0), START, START, 0, 0.0)
        spool.close()
        spool = self.spool()
        spool.start(MACHINE, 20.0, 5.0)
        spool.mend(NOW)
        self.assertEqual(spool.read(START, 1)[0].at, 10.0)

    def test_other_start_of_the_machine(self) -> None:
        """The steady clock began anew with the machine: readings from before keep the wall time that they had."""
        spool, start = self.started()
        spool.save(self.rows(start.boot, 1, 1, at=10.0), START, START, 0, 0.0)
        spool = self.spool()
        spool.start("another start of the machine", NOW + 1000, NOW + 900)
        spool.mend(NOW + 950)
        self.assertEqual(spool.read(START, 1)[0].at + NOW + 950, NOW + 10)

    def test_boots_without_a_clock(self) -> None:
        """Boots in which the clock was never set are put right before the next start, in their order, as soon as that
        one knows the time."""
        spool = self.spool()
        first = spool.start("first start", 0.0, 0.0).boot
        spool.save(self.rows(first, 1, 1, at=100.0) + self.rows(first, 2, 1, at=160.0), START, START, 0, 0.0)
        second = self.spool().start("first start", 200.0, 0.0).boot
        spool.save(self.rows(second, 1, 1, at=220.0), START, START, 0, 0.0)
        spool.close()
        spool = self.spool()
        third = spool.start("second start", 50.0, 0.0).boot
        spool.save(self.rows(third, 1, 1, at=70.0), START, START, 0, 0.0)
        spool.close()
        spool = self.spool()
        present = spool.start(MACHINE, 10.0, 0.0).boot
        spool.save(self.rows(present, 1, 1, at=12.0), START, START, 0, 0.0)
        for _ in range(2):
            self.assertEqual([row.at for row in spool.read(START, 10)], [-190.0, -130.0, -70.0, 0.0, 12.0])
            spool.mend(NOW)
        kept = spool.save([], START, START, 0, NOW - 86400)
        self.assertEqual(kept.lost, 0)
        spool.close()
        again = self.spool()
        again.start("yet another start", NOW + 500, NOW + 490)
        self.assertEqual(
            [row.at + NOW + 490 for row in again.read(START, 10)], [NOW - 190, NOW - 130, NOW - 70, NOW, NOW + 12]
        )

    def test_damaged(self) -> None:
        """A damaged file is set aside with a line in the log, and the agent starts with a new one."""
        self.path.write_bytes(b"this was a database" * 1000)
        spool, start = self.started()
        self.assertEqual(start.last, START)
        self.assertIn("The spool is damaged", self.said[0])
        self.assertTrue(self.path.with_name("spool.set-aside.db").exists())
        spool.save(self.rows(start.boot, 1, 3), START, START, 0, 0.0)
        self.assertEqual(len(spool.read(START, 10)), 3)

    def test_damaged_while_it_runs(self) -> None:
        """A file that turns out to be damaged is set aside, and the new one goes on with the boot number and the count
        of lost."""
        spool, start = self.started()
        spool.save(self.rows(start.boot, 1, 5000), START, START, 7, 0.0)
        spool.close()
        data = bytearray(self.path.read_bytes())
        data[4096 * 5 :] = os.urandom(len(data) - 4096 * 5)
        self.path.write_bytes(data)
        with self.assertRaises(SpoolLost):
            spool.save(self.rows(start.boot, 6000, 1), (start.boot, 5000), START, 0, 0.0)
        self.assertEqual(spool.read(START, 1), [])
        again = self.started(wall=0.0)[1]
        self.assertGreater(again.boot, start.boot)
        self.assertEqual(again.lost, 7)

    def test_another_device(self) -> None:
        """Readings of another device, from before the directory was enrolled anew, are not sent as this one's."""
        spool, start = self.started()
        spool.save(self.rows(start.boot, 1, 3), START, START, 0, 0.0)
        spool.close()
        self.assertEqual(self.started(device="another")[1].last, START)
        self.assertIn("belongs to another device", self.said[0])

    def test_no_disk(self) -> None:
        """Where there is no disk, readings are kept in memory, and the log says so."""
        self.path = Path("/proc/nowhere") / FILE
        spool, start = self.started()
        spool.save(self.rows(start.boot, 1, 3), START, START, 0, 0.0)
        self.assertEqual(len(spool.read(START, 10)), 3)
        self.assertIn("readings wait in memory", self.said[0])

    def test_disk_full(self) -> None:
        """A disk that takes nothing is an error, and nothing of what was to be kept is half there."""
        spool, start = self.started()
        spool.save(self.rows(start.boot, 1, 3), START, START, 0, 0.0)
        with spool._connected() as db:
            db.execute("PRAGMA max_page_count = 1")
        with self.assertRaises(SpoolError):
            spool.save(self.rows(start.boot, 4, 5000), (start.boot, 2), START, 0, 0.0)
        self.assertEqual([row.sequence for row in spool.read(START, 10)], [1, 2, 3])
        spool.save(self.rows(start.boot, 4, 1), START, START, 0, 0.0)
        self.assertEqual(len(spool.read(START, 10)), 4)

    def test_killed(self) -> None:
        """A process that is killed at any moment leaves all that it had committed."""
        with subprocess.Popen([sys.executable, "-c", KILLED, self.path], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(50):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            committed = 50 + len(process.stdout.readlines())
        spool, _ = self.started()
        found = [row.sequence for row in spool.read(START, 100_000)]
        self.assertEqual(found, list(range(1, len(found) + 1)))
        self.assertGreaterEqual(len(found), committed - 1)

    def test_commands(self) -> None:
        """The last commands are remembered with their answers, the others are forgotten."""
        spool, _ = self.started()
        for number in range(10):
            spool.remember(number, most=3)
        spool.answer(9, b"done")
        self.assertEqual(spool.commands(), {7: None, 8: None, 9: b"done"})
