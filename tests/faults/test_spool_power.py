"""Power cuts on a device, at any moment: what its spool took is there, and its boot numbers are never used again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random
from tempfile import mkdtemp

from twisted.trial.unittest import SynchronousTestCase

from iotdevice import spool
from iotdevice.config import SpoolSettings
from iotdevice.spool import Spool
from iotdevice.window import START
from tests.faults.disk import NO_COMPILER, Faults
from tests.faults.powercut import cuts, damage
from tests.faults.storing import ACKNOWLEDGED

CUTS = 100

NOW = 1.7e9

AT_WORK = f"""
import os, sys
from pathlib import Path
from iotdevice import spool_sql
from iotdevice.config import SpoolSettings
from iotdevice.spool import Spool
from iotdevice.window import START, Row
directory = Path(sys.argv[1])
spool_sql.SETTINGS += sys.argv[2]
kept = Spool(directory / "spool.db", "device", SpoolSettings(), print)
books = os.open(directory / "{ACKNOWLEDGED}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
boot = kept.start("machine", {NOW}, {NOW}).boot
os.write(books, b"boot %d 1\\n" % boot)
for first in range(1, 1500, 5):
    done = (boot, max(0, first - 200)) if first % 50 == 1 else START
    kept.save([Row(boot, number, "x", float(number), 0.0) for number in range(first, first + 5)], done, START, 0, 0.0)
    os.write(books, b"kept %d 5\\n" % first)
"""


class SpoolPowerTests(SynchronousTestCase):
    """A spool at work is recorded, and the power cut at random moments of the record."""

    skip = NO_COMPILER

    def setUp(self) -> None:
        """Find a place, and a seed that a failure names."""
        self.folder = Path(mkdtemp(prefix="iotdevice-power-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.seed = f"seed {int.from_bytes(os.urandom(4))}"

    def test_cut(self) -> None:
        """After each cut the spool opens by itself, with all that it took, but for what the server has."""
        self.assertEqual(self.faults_after(""), [], self.seed)

    def test_careless(self) -> None:
        """The same cuts find one that does not wait for the disk."""
        self.assertTrue(any("lost" in fault for fault in self.faults_after("PRAGMA synchronous = NORMAL;")), self.seed)

    def faults_after(self, settings: str) -> list[str]:
        """What is wrong after the cuts."""
        (self.folder / "data").mkdir()
        faults = Faults(self.folder / "data", self.folder / "faults", record=True)
        command = [sys.executable, "-c", AT_WORK, str(self.folder / "data"), settings]
        subprocess.run(command, env={**os.environ, "PYTHONPATH": ":".join(sys.path), **faults.environment}, check=True)
        found: list[str] = []
        for directory, books in cuts(list(faults.recorded()), CUTS, Random(self.seed), self.folder / "cuts"):
            found += [f"{directory.name}: {fault}" for fault in self.judge(directory, books.acknowledged)]
            shutil.rmtree(directory)
        return found

    def judge(self, directory: Path, acknowledged: dict[str, set[int]]) -> list[str]:
        """What is wrong with the spool in ``directory``, of which that was said."""
        said: list[str] = []
        kept = Spool(directory / spool.FILE, "device", SpoolSettings(), said.append)
        start = kept.start("next", NOW, NOW)
        found = {row.sequence for row in kept.read(START, 100_000)}
        kept.close()
        safe = {number for number in acknowledged["kept"] if number > max(acknowledged["kept"]) - 190}
        lost = [f"{number} is lost" for number in safe - found]
        again = ["a boot number is used again"] if start.boot in acknowledged["boot"] else []
        return said + lost + again + damage(directory)
