"""The agent over UDP, as its owner runs it: the same application, the same spool, the same guarantees."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.trial.unittest import SynchronousTestCase, TestCase

from iotdevice.config import ConfigError, Settings
from iotdevice.credentials import UDP_KEY, BadCredentials, load_udp_key
from tests.daemons import AgentProcess, ServerProcess
from tests.faults import ECHO_APP
from tests.processes import until


class AgentTests(TestCase):
    """A real server, and a real agent with ``transport = "udp"``."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Start the server, enroll a device over TLS, and move it to UDP."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-udp-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.server = ServerProcess(reactor, self.folder / "server")
        self.addCleanup(self.server.kill)
        await self.server.start()
        await self.server.enroll("echo", self.folder / "echo")
        (self.folder / "echo/iotdevice.toml").write_text(f'server = "127.0.0.1:{self.server.udp}"\ntransport = "udp"\n')
        self.agent = AgentProcess(reactor, self.folder / "echo", ECHO_APP)
        self.addCleanup(self.agent.kill)
        self.agent.start()

    async def device(self) -> dict[str, Any]:
        """How the server shows the device."""
        return (await self.server.devices())["echo"]

    async def received(self, more_than: int) -> int:
        """How many readings came, once they are more than so many."""

        async def look() -> int:
            device = await self.device()
            count = int(device["account"]["received"])
            return count if count > more_than and device["state"] == "online" else 0

        return await until(self.reactor, look, lambda: self.agent.program.said, within=60.0)

    async def test_agent(self) -> None:
        """It reports and is told what to do; when the server is killed, it goes on where it was, and nothing is lost or
        doubled."""
        count = await self.received(3)
        device = await self.device()
        self.assertEqual((device["transport"], device["series"][0]["name"]), ("udp", "steady"))
        self.assertIn("Connected to", self.agent.program.said)
        self.assertIn("as echo", self.agent.program.said)
        text = "x" * 900
        command = await self.server.ask(
            "devices/echo/commands", {"name": "echo", "args": {"text": text}, "timeout": 20}
        )
        self.assertEqual((command["state"], command["result"]), ("done", text))
        await self.server.kill()
        await self.server.start()
        await self.received(count + 5)
        readings = await self.server.ask("readings?device=echo&series=steady&from=now-10m&step=0")
        self.assertEqual(len(readings["t"]), len(set(readings["t"])))
        self.assertEqual((await self.device())["account"]["lost"], 0)
        await self.server.ask("devices/echo/revoke", {})
        await self.agent.program.until("revoked")


class SettingsTests(SynchronousTestCase):
    """What a device over UDP is told of its settings."""

    def test_address(self) -> None:
        """Without a port, the server's usual one for UDP is meant."""
        self.assertEqual(Settings(server="center.example", transport="udp").address.port, 9999)
        self.assertEqual(Settings(server="center.example").address.port, 9998)
        with self.assertRaises(ConfigError):
            _ = Settings(server="no address", transport="udp").address

    def test_key(self) -> None:
        """A key that is missing or damaged is said to be, with what to do."""
        folder = Path(self.mktemp())
        folder.mkdir()
        with self.assertRaisesRegex(BadCredentials, "enroll this device again"):
            load_udp_key(folder)
        (folder / UDP_KEY).write_text("zz")
        with self.assertRaisesRegex(BadCredentials, "damaged"):
            load_udp_key(folder)
        (folder / UDP_KEY).write_text("ab" * 32)
        self.assertEqual(load_udp_key(folder), b"\xab" * 32)
