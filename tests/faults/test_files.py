"""A photo's way through the death of its server and of its device."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.trial.unittest import TestCase

from tests.daemons import AgentProcess, ServerProcess
from tests.faults import camera_app
from tests.processes import until

SIZE = 19_000_000
"""Bytes of the photo: what a server takes, and seconds of work."""

SOME = 300_000
"""Bytes of it that are there when somebody dies."""


class FileTests(TestCase):
    """A server and a device, a process each."""

    async def setUp(self) -> None:  # type: ignore[override]
        from twisted.internet import reactor

        folder = Path(mkdtemp(prefix="iotcenter-files-"))
        self.addCleanup(shutil.rmtree, folder)
        self.reactor: Any = reactor
        self.server = ServerProcess(reactor, folder / "server")
        self.addCleanup(self.server.kill)
        await self.server.start()
        await self.server.enroll("kitchen-pi", folder / "device")
        self.agent = AgentProcess(reactor, folder / "device", Path(camera_app.__file__))
        self.addCleanup(self.agent.kill)
        self.agent.start()

    def part(self) -> int:
        """How many bytes of an unfinished file the server has."""
        return sum(path.stat().st_size for path in (self.server.directory / "files").glob(".*"))

    async def files(self) -> Any:
        """What the server says that it has."""
        return await self.server.ask("devices/kitchen-pi/files")

    async def online(self) -> bool:
        """Whether the device is there."""
        return bool((await self.server.devices())["kitchen-pi"]["state"] == "online")

    async def test_killed(self) -> None:
        """``kill -9`` of the server in the middle of a photo, and of the device in the middle of the rest: the photo
        arrives whole and once, as the result of its command, and no reading was lost."""
        await until(self.reactor, self.online, "the device never came")
        command = await self.server.ask(
            "devices/kitchen-pi/commands", {"name": "photo", "args": {"size": SIZE}, "timeout": 30.0}
        )
        self.assertEqual((command["state"], command["result"]), ("done", "photo.jpg"))
        await until(self.reactor, lambda: self.part() > SOME, "the photo never began")
        await self.server.kill()
        kept = self.part()
        self.assertTrue(SOME < kept < SIZE, kept)
        await self.server.start()
        await until(self.reactor, lambda: self.part() > kept + SOME, "the photo did not go on")
        await self.agent.kill()
        self.agent.start()
        await until(self.reactor, self.files, "the photo never arrived")
        [photo] = await self.files()
        self.assertEqual((photo["size"], photo["command"], photo["image"]), (SIZE, command["id"], True))
        self.assertEqual(photo["sha256"], hashlib.sha256(camera_app.content(SIZE)).hexdigest())
        [file] = (self.server.directory / "files").iterdir()
        self.assertEqual(hashlib.sha256(file.read_bytes()).hexdigest(), photo["sha256"])
        account = (await self.server.devices())["kitchen-pi"]["account"]
        self.assertEqual((account["lost"], account["refused"]), (0, 0))
