"""Devices on chips, a real server and a real socket: what their owner sees of them."""

from __future__ import annotations

import shutil
import urllib.request
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.chips import avr
from tests.chips.micropython import CLIENT, MICROPYTHON, missing_parts
from tests.chips.toolchain import HERE
from tests.daemons import ServerProcess
from tests.processes import Program, until


class LiveCase(TestCase):
    """A server, and a device that reports how many seconds it has run, and has a relay."""

    name = ""

    async def setUp(self) -> None:  # type: ignore[override]
        """Start the server, and add the device."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        folder = Path(mkdtemp(prefix="iotcenter-live-"))
        self.addCleanup(shutil.rmtree, folder)
        self.server = ServerProcess(reactor, folder / "server")
        self.addCleanup(lambda: self.server.kill())
        await self.server.start()
        self.token = (await self.server.ask("tokens", {"name": "reader", "role": "operator"}))["token"]
        self.key = await self.server.ask("devices", {"name": self.name, "transport": "udp"})

    async def run_device(self, device: Program) -> None:
        """It reports, takes commands, outlives a restart of its server, and no reading is lost or counted twice."""
        self.addCleanup(device.end)
        await self.reports(3)
        shown = (await self.server.devices())[self.name]
        self.assertEqual((shown["state"], shown["transport"]), ("online", "udp"))
        self.assertEqual([series["name"] for series in shown["series"]], ["uptime"])
        self.assertEqual(shown["series"][0]["unit"], "s")
        await self.look()
        await self.command("relay", {"on": True}, True)
        await self.command("relay", {"on": False}, False)
        await self.server.kill()
        await self.server.start()
        await self.reports(6)
        self.assertFalse(device.ended.called, device.said)
        values = (await self.readings())["v"]
        self.assertEqual(values, list(range(1, len(values) + 1)))
        await self.command("relay", {"on": True}, True)

    async def look(self) -> None:
        """It is on the web's dashboard and on a page of its own, as any device: online, with its value and its
        command."""
        for path in ("/", f"/devices/{self.name}"):
            page = await self.page(path)
            self.assertRegex(page, rf'data-presence="{self.name}" data-state="online"', path)
            self.assertRegex(page, rf'data-device="{self.name}" data-series="uptime" data-unit="s"', path)
        self.assertIn(f'action="/devices/{self.name}/commands/relay"', page)

    async def page(self, path: str) -> str:
        """A page of the web, as a program with an API token gets it."""
        url = f"http://127.0.0.1:{self.server.http}{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.token}"})

        def fetch() -> str:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return str(answer.read().decode())

        return await deferToThread(fetch)

    async def readings(self) -> dict[str, Any]:
        """What is stored of the series ``uptime``."""
        found: dict[str, Any] = await self.server.ask(f"readings?device={self.name}&series=uptime&from=now-1h&step=0")
        return found

    async def reports(self, value: int) -> None:
        """Wait until the server has a reading of that many seconds."""

        async def arrived() -> bool:
            device = (await self.server.devices())[self.name]
            return any(series["value"] is not None and series["value"] >= value for series in device["series"])

        await until(self.reactor, arrived, f"no reading of {value}", 90.0, 0.2)

    async def command(self, name: str, arguments: dict[str, Any], result: Any) -> None:
        """Give the device a command as a person would."""
        given = {"name": name, "args": arguments, "timeout": 60}
        answer = await self.server.ask(f"devices/{self.name}/commands", given)
        self.assertEqual((answer["state"], answer["result"]), ("done", result), answer)


class AvrTests(LiveCase):
    """An ATmega328P in simavr; its UART leads to the socket."""

    skip = avr.missing_parts()
    name = "uno"

    def power_on(self) -> Program:
        """Run the firmware with this device's key in it."""
        firmware = avr.firmware("avr.c", bytes.fromhex(self.key["id"]), bytes.fromhex(self.key["key"]))
        return Program(self.reactor, [str(avr.simulator()), str(firmware), str(self.server.udp)])

    async def test_device(self) -> None:
        """A chip with 2 KB of RAM is a device like any other."""
        await self.run_device(self.power_on())


class MicroPythonTests(LiveCase):
    """A real MicroPython on this machine."""

    skip = missing_parts()
    name = "board"

    def power_on(self) -> Program:
        """Run an application on it."""
        script = str(HERE / "micropython_app.py")
        words = [str(MICROPYTHON), script, str(CLIENT), str(self.server.udp), self.key["id"], self.key["key"]]
        return Program(self.reactor, words)

    async def test_device(self) -> None:
        """A board with MicroPython is a device like any other, and says why a command failed."""
        await self.run_device(self.power_on())
        given = {"name": "relay", "args": {"on": True, "seconds": 61}, "timeout": 60}
        answer = await self.server.ask(f"devices/{self.name}/commands", given)
        self.assertEqual((answer["state"], answer["error"]), ("failed", "a minute at most"))
        logs = await self.server.ask(f"devices/{self.name}/logs")
        self.assertIn("switched to True", str(logs))
