"""Power cuts, at any moment: what was acknowledged is there, nothing twice, and the database is whole."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

from twisted.trial.unittest import TestCase

from tests.faults.disk import NO_COMPILER, Entry, Faults
from tests.faults.powercut import cuts, judge
from tests.processes import Program

CUTS = 300
CUTS_WITHOUT = 60
CUTS_WITH_FAILED_SYNCS = 100


class PowerTests(TestCase):
    """A store at work is recorded, and the power cut at random moments of the record."""

    skip = NO_COMPILER

    def setUp(self) -> None:
        """Find a place, and a seed that a failure names."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-power-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.seed = f"seed {int.from_bytes(os.urandom(4))}"
        (self.folder / "data").mkdir()
        self.faults = Faults(self.folder / "data", self.folder / "faults", record=True)

    async def test_cut(self) -> None:
        """After each cut the store opens by itself, with all that was acknowledged."""
        entries = await self.record()
        self.assertEqual(await self.faults_after(entries, CUTS), [], self.seed)

    async def test_cut_after_failed_syncs(self) -> None:
        """A sync that fails is no sync: what it was for is acknowledged only after another that worked."""
        self.faults.fail_syncs(left=40, then=6)
        entries = await self.record()
        self.assertEqual(await self.faults_after(entries, CUTS_WITH_FAILED_SYNCS), [], self.seed)

    async def test_careless(self) -> None:
        """The same cuts find a store that acknowledges before the disk has it."""
        entries = await self.record("careless")
        found = await self.faults_after(entries, CUTS_WITHOUT)
        self.assertTrue(any("is lost" in fault for fault in found), self.seed)

    async def record(self, *words: str) -> Sequence[Entry]:
        """All that a store did to its files."""
        command = [sys.executable, "-m", "tests.faults.storing", str(self.folder / "data"), self.seed, *words]
        program = Program(self.reactor, command, self.faults.environment)
        self.assertEqual(await program.outcome(), 0, program.said)
        return list(self.faults.recorded())

    async def faults_after(self, entries: Sequence[Entry], count: int) -> list[str]:
        """What is wrong after ``count`` cuts."""
        found: list[str] = []
        for directory, books in cuts(entries, count, Random(self.seed), self.folder / "cuts"):
            found += [f"{directory.name}: {fault}" for fault in await judge(self.reactor, directory, books)]
            shutil.rmtree(directory)
        return found
