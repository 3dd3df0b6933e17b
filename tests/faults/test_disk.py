"""The disk is full, fails, or is held by another program: nothing is promised, nothing is lost, and all goes on."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater

from tests.faults.crowd_case import CrowdTestCase
from tests.faults.disk import NO_COMPILER, Faults
from tests.processes import resident, until

RECOVERED_WITHIN = 30.0
"""Seconds from the end of the trouble until readings are stored again: a tenth where nothing else runs."""

HELD = 8.0
"""Seconds for which another program holds the database: more than the server waits for it at a time."""

MOST_GROWTH = 64_000_000
"""Bytes of memory by which the server may grow meanwhile."""

SMALL = 8_000_000
"""Bytes of a disk that is soon full."""


class TroubleTestCase(CrowdTestCase):
    """Has 50 devices at work."""

    size = 50
    every = 0.2

    async def storage(self) -> str:
        """What the server says of its storage."""
        return str((await self.server.ask("status"))["storage"])

    async def says(self, words: str) -> None:
        """Done when the server says that."""

        async def said() -> bool:
            return words in await self.storage()

        await until(self.reactor, said, f"the server does not say: {words}")

    async def received(self) -> int:
        """How many readings the server has."""
        return sum(device["account"]["received"] for device in await self.server.ask("devices"))

    async def stores_again(self) -> None:
        """Done when all is well, and more comes in."""
        before = await self.received()

        async def more() -> bool:
            return await self.storage() == "ok" and await self.received() > before

        await until(self.reactor, more, "it does not go on", RECOVERED_WITHIN)


class FailingTests(TroubleTestCase):
    """The disk does what the test says."""

    skip = NO_COMPILER

    def prepare(self, directory: Path) -> Mapping[str, str]:
        """Put the disk under control."""
        super().prepare(directory)
        self.faults = Faults(directory, self.folder / "faults")
        return self.faults.environment

    async def test_full(self) -> None:
        """The server says so, reads on, and goes on by itself when there is room."""
        self.faults.fill(writes=5)
        await self.says("The disk is full")
        self.assertTrue(await self.server.ask("readings?device=member-1&series=number&from=now-1h&to=now&step=0"))
        self.faults.make_room()
        await self.stores_again()
        await self.assert_nothing_lost()

    async def test_full_and_killed(self) -> None:
        """What it says while the disk is full is true: it dies, and no device was promised anything."""
        self.faults.fill(writes=5)
        await self.says("The disk is full")
        await self.server.kill()
        self.faults.make_room()
        await self.server.start()
        await self.assert_nothing_lost()

    async def test_sync_fails_once(self) -> None:
        """What that commit held comes again."""
        for left in (0, 3, 5):
            self.faults.fail_syncs(left)
            await self.stores_again()
        await self.assert_nothing_lost()

    async def test_syncs_fail(self) -> None:
        """Nothing is promised until another disk takes it."""
        self.faults.fail_syncs(left=3, then=0)
        await self.says("The disk failed")
        await self.server.kill()
        self.faults.mend()
        await self.server.start()
        await self.assert_nothing_lost()


class LockedTests(TroubleTestCase):
    """Another program holds the databases."""

    async def test_held(self) -> None:
        """Devices keep their readings, the server keeps few of them in memory, and goes on when it can."""
        before = resident(self.server.program.pid)
        others = [sqlite3.connect(path, isolation_level=None) for path in self.server.directory.glob("*.db")]
        for other in others:
            other.execute("BEGIN EXCLUSIVE")
        await deferLater(self.reactor, HELD)
        self.assertEqual(len(await self.server.ask("devices")), self.size)
        self.assertLess(resident(self.server.program.pid) - before, MOST_GROWTH)
        for other in others:
            other.close()
        await self.stores_again()
        await self.assert_nothing_lost()


class SmallDiskTests(TroubleTestCase):
    """The data directory has a small disk of its own."""

    skip = None if os.geteuid() == 0 else "only root may mount a disk"

    def prepare(self, directory: Path) -> Mapping[str, str]:
        """Mount it."""
        super().prepare(directory)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", directory], check=True)
        self.addCleanup(lambda: subprocess.run(["umount", directory], check=True))
        return {}

    async def test_filled(self) -> None:
        """Its owner is warned in time; then it is full, and then there is room again."""
        self.fill(leaving=SMALL // 20)
        await until(self.reactor, self.warned, "nobody is warned")
        self.fill(leaving=0)
        await self.says("The disk is full")
        self.ballast.unlink()
        await self.stores_again()
        self.assertFalse(await self.warned())
        await self.assert_nothing_lost()

    @property
    def ballast(self) -> Path:
        """A file of another program, which takes up the disk."""
        return self.server.directory / "log" / "ballast"

    def fill(self, leaving: int) -> None:
        """Leave so many bytes of the disk."""
        size = shutil.disk_usage(self.server.directory).free - leaving
        with contextlib.suppress(OSError), self.ballast.open("ab") as file:  # others take the last bytes
            file.write(bytes(max(0, size)))

    async def warned(self) -> bool:
        """Whether the server says that the disk is nearly full."""
        notices: list[Any] = (await self.server.ask("status"))["notices"]
        return any("% full" in notice for notice in notices)
