"""Encrypted UDP under fire: floods of rubbish, and a network that loses, doubles, reorders and moves ports."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.trial.unittest import TestCase

from tests.daemons import ServerProcess
from tests.faults.impaired import ImpairedWay, Impairment
from tests.processes import Program, resident, until
from tests.udp_device import UdpDevice

ANSWERED_WITHIN = 10.0
"""Seconds for 99 of 100 reports while the flood goes on: a fifth of one where nothing else runs. Where the server gets
less of the machine than the flood, it cannot read all that comes, and what is lost is sent again after 2 s, then 4."""

MOST_GROWTH = 8 * 1024 * 1024
"""Bytes that the server may grow by while it is flooded: less than a tenth of what it is sent."""

FLOOD = """
import os, socket, sys, time
port, seconds, rate = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.bind(("127.0.0.2", 0))
out.connect(("127.0.0.1", port))
out.setblocking(False)
sent = answered = 0
begin = time.monotonic()
print("flooding", flush=True)
while (now := time.monotonic() - begin) < seconds:
    while sent < now * rate:
        size = (0, 1, 8, 40, 52, 97, 104, 200, 700, 1200)[sent % 10]
        out.send(bytes([0xC1, 0xC3, 0xC6, 0x49, sent & 255][sent % 5:][:1]) + os.urandom(size))
        sent += 1
    try:
        while True:
            answered += len(out.recv(2048))
    except OSError:
        pass
    time.sleep(0.001)
print(f"sent {sent} answered {answered}", flush=True)
"""
"""Sends random datagrams of every length, and counts the bytes that come back."""


class UdpTests(TestCase):
    """A real server, and devices on real sockets."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Start the server."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-udp-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.server = ServerProcess(reactor, self.folder)
        self.addCleanup(self.server.kill)
        await self.server.start()

    async def device(self, name: str, port: int) -> UdpDevice:
        """A device that finds the server at a port of this machine."""
        added = await self.server.ask("devices", {"name": name, "transport": "udp"})
        device = UdpDevice(self.reactor, ("127.0.0.1", port), added["id"], added["key"])
        self.addCleanup(device.close)
        device.open()
        return device

    async def received(self, name: str) -> int:
        """How many readings of a device are stored."""
        return int((await self.server.devices())[name]["account"]["received"])

    async def test_flood(self) -> None:
        """20,000 datagrams of rubbish a second get no answer and leave nothing behind; a device at work hardly
        notices."""
        device = await self.device("chip", self.server.udp)
        await device.report(1)
        before = resident(self.server.program.pid)
        words = [sys.executable, "-c", FLOOD, str(self.server.udp), "3", "20000"]
        flood = Program(self.reactor, words)
        self.addCleanup(flood.end)
        await flood.until("flooding")
        took: list[float] = []
        while not flood.ended.called:
            began = self.reactor.seconds()
            await device.report(len(took) + 2)
            took.append(self.reactor.seconds() - began)
        self.assertRegex(flood.output, r"sent [1-9]\d{4} answered 0")
        self.assertLess(resident(self.server.program.pid) - before, MOST_GROWTH)
        self.assertEqual(device.connections, 1)
        took.sort()
        self.assertLess(took[len(took) * 99 // 100], ANSWERED_WITHIN, f"{len(took)} reports, the slowest {took[-5:]}")

    async def test_impaired(self) -> None:
        """Through a network that loses a fifth, doubles, reorders and moves ports, each reading is stored once."""
        way = ImpairedWay(self.reactor, ("127.0.0.1", self.server.udp), Impairment(0.2, 0.05, 0.05, 5), seed=3)
        self.addCleanup(way.close)
        device = await self.device("far", way.open())
        count = 6
        for number in range(count):
            await device.report(number + 1)
        self.assertGreater(way.lost, 0)

        async def all_are_stored() -> bool:
            return await self.received("far") >= count

        await until(self.reactor, all_are_stored, "readings are missing")
        self.assertEqual(await self.received("far"), count)
        self.assertLessEqual(len(device.sent), 3 * (count + 1))

        async def shown() -> bool:
            return bool((await self.server.devices())["far"]["state"] == "online")

        await until(self.reactor, shown, "it is not there")
