"""Encrypted UDP behind a real NAT that forgets its mappings: the session goes on from the new port."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.trial.unittest import TestCase

from tests.daemons import ServerProcess
from tests.faults import network
from tests.processes import until
from tests.udp_device import UdpDevice

GAP = 10.0
"""Seconds from the moment in which the NAT forgot everything until the next reading is stored: a hundredth of it where
nothing else runs. A device that had to find out that nobody hears it would take longer."""


class NatTests(TestCase):
    """Server, NAT and device are each in a namespace of their own; the NAT takes ports at random."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Build it all, and have the device say what it offers."""
        from twisted.internet import reactor

        self.road = network.road_through_nat(self)
        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-udp-nat-"))
        self.addCleanup(shutil.rmtree, self.folder)
        side = self.road.on_server
        self.server = ServerProcess(reactor, self.folder, host=network.SERVER, within=side)
        self.addCleanup(self.server.kill)
        await self.server.start()
        added = await self.server.ask("devices", {"name": "chip", "transport": "udp"})
        self.device = UdpDevice(reactor, (network.SERVER, self.server.udp), added["id"], added["key"])
        self.addCleanup(self.device.close)
        with self.road.as_device():
            self.device.open(network.DEVICE)
        await self.device.hello()

    async def test_mappings_forgotten(self) -> None:
        """Each next reading is stored soon, in the same session; a command finds the newest port."""
        for sequence in range(1, 5):
            self.road.forget()
            began = self.reactor.seconds()
            await self.device.report(sequence)
            self.assertLess(self.reactor.seconds() - began, GAP)
        order = {"name": "blink", "args": {}, "lifetime": 30}
        sent = await self.server.ask("devices/chip/commands", order)

        async def done() -> bool:
            found = await self.server.ask(f"devices/chip/commands/{sent['id']}")
            return bool(found["state"] == "done")

        await until(self.reactor, done, "the command did not arrive")
        self.assertEqual(self.device.connections, 1)
