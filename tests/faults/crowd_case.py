"""What tests with many devices share: they are in one process, and the server is in another."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.trial.unittest import TestCase

from tests.daemons import ServerProcess
from tests.faults.books import given
from tests.faults.crowd import enrolled, made
from tests.processes import Program

THERE_WITHIN = 240.0
"""Seconds in which all devices are there: thousands of handshakes are much work for both ends."""

DRAINED_WITHIN = 120.0
"""Seconds in which the devices hand in all that waits."""


class CrowdTestCase(TestCase):
    """Has a server, and a process with ``size`` devices that report ``every`` so many seconds."""

    size = 0
    every = 1.0
    words: tuple[str, ...] = ()

    async def setUp(self) -> None:  # type: ignore[override]
        """Enroll all, start all, and wait until all are there."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-storm-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.server = ServerProcess(reactor, self.folder / "server", environment=self.prepare(self.folder / "server"))
        self.addCleanup(self.server.kill)
        self.devices = await enrolled(reactor, self.server.directory, self.folder, self.size)
        await self.server.start()
        words = [sys.executable, "-m", "tests.faults.crowd", self.folder, self.server.tls, self.every, *self.words]
        self.crowd = Program(reactor, [str(word) for word in words])
        self.addCleanup(self.crowd.end)
        await self.crowd.until(self.all_there, THERE_WITHIN)

    def prepare(self, directory: Path) -> Mapping[str, str]:
        """Make the disk of the server, whose directory is given; the answer are environment variables for it."""
        directory.mkdir(mode=0o700)
        return {}

    @property
    def all_there(self) -> str:
        """What the crowd says when all its links are open."""
        return f"links: {self.size}\n"

    async def assert_nothing_lost(self) -> None:
        """The devices hand in what waits; then the store gives each number that they made, once."""
        self.crowd.write(b"stop\n")
        self.crowd.ended.addTimeout(DRAINED_WITHIN, self.reactor)
        self.assertEqual(await self.crowd.outcome(), 0, self.crowd.said)
        await self.server.kill()
        counts = made(self.folder)
        found = await given(self.reactor, self.server.directory, self.devices)
        wrong = [id for id in self.devices if sorted(found[id]) != list(range(1, counts[id] + 1))]
        self.assertEqual(wrong, [])
