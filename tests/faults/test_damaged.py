"""A server whose database was damaged while it was stopped: it serves, says what happened, and goes on."""

from __future__ import annotations

import shutil
from pathlib import Path
from signal import SIGTERM
from tempfile import mkdtemp
from typing import Any

from twisted.trial.unittest import TestCase

from iotcenter.storage.store import FILE
from tests.faults.fleet import Fleet

PAGE = 4096


class DamagedTests(TestCase):
    """A real server, and a device that reports."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Have some readings stored."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-damaged-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.fleet = Fleet(reactor, self.folder, 1)
        self.addCleanup(self.fleet.stop)
        await self.fleet.start()
        await self.fleet.received_more_than({"device-1": 1000})
        await self.fleet.server.program.end(SIGTERM)

    async def test_goes_on(self) -> None:
        """The device comes back by itself and reports; what happened is said until the damaged files are removed."""
        file = self.fleet.server.directory / FILE
        with file.open("r+b") as database:
            database.seek(file.stat().st_size - 2 * PAGE)
            database.write(b"\x55" * PAGE)
        await self.fleet.server.start()
        status = await self.fleet.server.ask("status")
        self.assertEqual(status["storage"], "ok")
        self.assertIn("The database was damaged", status["notices"][0])
        await self.fleet.online()
        await self.fleet.received_more_than(await self.fleet.counts())
        shutil.rmtree(self.fleet.server.directory / "damaged")
        notices = (await self.fleet.server.ask("status"))["notices"]
        self.assertFalse([notice for notice in notices if "damaged" in notice])
