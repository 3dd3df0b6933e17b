"""Encrypted UDP over roads that lose, double and reorder packets, between network namespaces.

A device has one message on its way at a time. One that reported as fast as it could would lose most of that speed with
the first packet, for it waits ten times as long as an answer takes before it sends again. So what counts here is what a
device is for: it measures at its own pace, packs what waits into its next report, and of what all have measured at
least half as much is to be on the server as on a clean road.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import msgspec
from twisted.internet.task import LoopingCall, deferLater
from twisted.trial.unittest import TestCase

from iotcenter.wire.udp.content import Kind
from tests.daemons import ServerProcess
from tests.faults import network
from tests.processes import Program
from tests.support import need
from tests.udp_device import UdpDevice

IMPAIR = Path(__file__).with_name("impair.py")

LOSSES = (0.0, 0.01, 0.05, 0.2)
"""The share of packets that each road loses; all but the clean one double and reorder some too."""

BAD = ("--double=0.05", "--reorder=0.1", "--reorder-by=0.03")

EACH = 12
"""Devices on each road, so that one that is out of luck does not decide."""

EVERY = 1.0
"""Seconds between two readings of a device: more often than it sends again."""

MEASURE_FOR = 12.0

MOST_IN_REPORT = 40
"""Readings that fit into one datagram."""


class Meter:
    """A device that measures at its own pace, and reports what waits when its last report has arrived."""

    def __init__(self, reactor: Any, device: UdpDevice) -> None:
        self.device = device
        self.taken = self.stored = 0
        self._reactor = reactor
        self._began = 0.0
        self._busy = False
        self._measuring = LoopingCall(self._measure)

    def start(self) -> None:
        """Begin to measure."""
        self._began = self._reactor.seconds()
        self._measuring.start(EVERY)

    def stop(self) -> None:
        """Measure no more; what waits is still sent."""
        if self._measuring.running:
            self._measuring.stop()

    def _measure(self) -> None:
        self.taken += 1
        self._send()

    def _send(self) -> None:
        first, last = self.stored + 1, min(self.taken, self.stored + MOST_IN_REPORT)
        if self._busy or last < first:
            return
        self._busy = True
        passed = self._reactor.seconds() - self._began
        readings = [["t", float(number), min(0.0, (number - 1) * EVERY - passed)] for number in range(first, last + 1)]
        body = msgspec.msgpack.encode([1, first, readings])
        self.device.put(Kind.REPORT, body, ("report", first)).addCallback(self._arrived, last)

    def _arrived(self, answer: object, last: int) -> None:
        self._busy = False
        self.stored = last
        self._send()


class Road(NamedTuple):
    """A way to the server, and the devices on it."""

    loss: float
    meters: list[Meter]

    @property
    def goodput(self) -> float:
        """Readings a second that are on the server."""
        return sum(meter.stored for meter in self.meters) / MEASURE_FOR

    @property
    def effort(self) -> float:
        """Datagrams that devices send for each message that arrives."""
        sent = sum(len(meter.device.sent) for meter in self.meters)
        return sent / sum(len(meter.device.answers) for meter in self.meters)


class LossTests(TestCase):
    """The server is in one namespace, the devices are in another; each road is a program of its own."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Build it all."""
        from twisted.internet import reactor

        need(network.why_not())
        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-udp-loss-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.gap = network.Gap()
        self.addCleanup(self.gap.remove)
        self.gap.build()
        self.server = ServerProcess(reactor, self.folder, host="0.0.0.0", within=self.gap.on_left)
        self.addCleanup(self.server.kill)
        await self.server.start()

    async def test_loss(self) -> None:
        """With 1, 5 and 20 % lost, some doubled and reordered, no acknowledged reading is lost or doubled; at least
        half as many come through in time as on a clean road, for at most three times as many datagrams."""
        roads = [await self.road(number, loss) for number, loss in enumerate(LOSSES)]
        for meter in self.meters(roads):
            meter.start()
        await deferLater(self.reactor, MEASURE_FOR)
        goodputs = [road.goodput for road in roads]
        for meter in self.meters(roads):
            await meter.device.close()
            meter.stop()
        self.assertGreater(goodputs[0], 0.8 * EACH / EVERY)
        for road, goodput in zip(roads, goodputs, strict=True):
            self.assertGreaterEqual(goodput, goodputs[0] / 2, f"{road.loss:.0%} lost: {goodputs} readings a second")
            self.assertLessEqual(road.effort, 3 * roads[0].effort, f"{road.loss:.0%} lost")
            for number, meter in enumerate(road.meters):
                await self.check(self.name(road.loss, number), meter)

    def meters(self, roads: Sequence[Road]) -> list[Meter]:
        """All devices."""
        return [meter for road in roads for meter in road.meters]

    def name(self, loss: float, number: int) -> str:
        """What a device is called."""
        return f"loss-{loss * 100:.0f}-{number}"

    async def road(self, number: int, loss: float) -> Road:
        """Build a road. It gets as bad as it is to be when its devices have a session."""
        server, device = f"10.214.{number}.1", f"10.214.{number}.2"
        clean = await self.join(server, device)
        meters = [await self.meter(self.name(loss, each), server, device) for each in range(EACH)]
        await clean.end()
        await self.join(server, device, f"--loss={loss}", *(BAD if loss else ()))
        return Road(loss, meters)

    async def join(self, server: str, device: str, *how: str) -> Program:
        """Let packets through between two addresses."""
        words = [sys.executable, str(IMPAIR), self.gap.left, server, self.gap.right, device, "--delay=0.01", *how]
        road = Program(self.reactor, words)
        self.addCleanup(road.end)
        await road.until("ready")
        return road

    async def meter(self, name: str, server: str, interface: str) -> Meter:
        """A device on a road."""
        added = await self.server.ask("devices", {"name": name, "transport": "udp"})
        device = UdpDevice(self.reactor, (server, self.server.udp), added["id"], added["key"])
        self.addCleanup(device.close)
        with self.gap.as_right():
            device.open(interface)
        await device.hello()
        meter = Meter(self.reactor, device)
        self.addCleanup(meter.stop)
        return meter

    async def check(self, name: str, meter: Meter) -> None:
        """Each reading that it knows to be stored is, and none is twice."""
        found = (await self.server.ask(f"readings?device={name}&series=t&from=now-1h&step=0"))["v"]
        self.assertEqual(len(found), len(set(found)), name)
        self.assertLessEqual({*map(float, range(1, meter.stored + 1))}, {*found}, name)
