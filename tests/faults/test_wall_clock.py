"""The wall clock jumps, or was never set: links stand, readings come in, with the right times where that can be."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.trial.unittest import TestCase

from iotcenter.wire.token import parse_token
from iotdevice.enrollment import enroll
from tests.faults.disk import NO_COMPILER, Faults
from tests.faults.fleet import NOTHING, Fleet
from tests.faults.journal import SERIES
from tests.processes import until

DAY = 86400

TO_1970 = -int(time.time()) + 100
TO_2040 = 14 * 365 * DAY
"""What to add to the clock, to be there."""

CLOSE = 60.0
"""Seconds by which the times of readings may be off in a test."""


class WallClockTests(TestCase):
    """A real server and a real device, either of which has a clock that is set by the test."""

    skip = NO_COMPILER

    def setUp(self) -> None:
        """Find a place."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-clock-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.faults = Faults(self.folder, self.folder / "faults")

    def fleet(self, *, server: Mapping[str, str] = NOTHING, device: Mapping[str, str] = NOTHING) -> Fleet:
        """A server and one device."""
        fleet = Fleet(self.reactor, self.folder, 1, surroundings=server, of_devices=device)
        self.addCleanup(fleet.stop)
        return fleet

    async def test_server_jumps(self) -> None:
        """No link is lost, no device is late, and each reading is there, whichever way the clock jumps."""
        fleet = self.fleet(server=self.faults.environment)
        await fleet.start()
        for jump in (DAY, -DAY, 0):
            self.faults.set_clock(jump)
            await fleet.received_more_than(await fleet.counts())
            await until(self.reactor, partial(self.moved, fleet, jump), "its link is not where the clock is")
        self.assertEqual([member.journal.losses() for member in fleet.members], [0])
        await fleet.drain()
        needed = {member.name: set(member.journal.numbers()) for member in fleet.members}
        self.assertEqual(fleet.faults(await fleet.holds(needed), needed), [])

    async def moved(self, fleet: Fleet, jump: int) -> bool:
        """Whether the device is in time, and its link as old as it is."""
        [device] = (await fleet.server.devices()).values()
        off = float(device["connected_since"]) - time.time() - jump
        return device["state"] == "online" and abs(off) < CLOSE

    async def test_device_jumps(self) -> None:
        """A device's clock may jump as well: its readings have the server's time."""
        fleet = self.fleet(device=self.faults.environment)
        await fleet.start()
        for jump in (DAY, -DAY, TO_1970, TO_2040):
            self.faults.set_clock(jump)
            await self.assert_on_time(fleet)
        self.assertEqual([member.journal.losses() for member in fleet.members], [0])

    async def test_server_in_1970(self) -> None:
        """A server that starts without the time takes its devices in, and goes on from when it wrote last."""
        fleet = self.fleet(server=self.faults.environment)
        await fleet.start()
        await fleet.server.kill()
        self.faults.set_clock(TO_1970)
        await fleet.server.start()
        await self.assert_on_time(fleet)

    async def test_device_in_1970(self) -> None:
        """A device that starts without the time finds its server, and its readings have the server's time."""
        fleet = self.fleet(device=self.faults.environment)
        await fleet.start()
        [member] = fleet.members
        await member.agent.kill()
        self.faults.set_clock(TO_1970)
        member.agent.start()
        await self.assert_on_time(fleet)

    async def test_in_2040(self) -> None:
        """Nothing ends with the 32 bits of 2038."""
        self.faults.set_clock(TO_2040)
        fleet = self.fleet(server=self.faults.environment, device=self.faults.environment)
        await fleet.server.start()
        [member] = fleet.members
        member.directory.mkdir()
        token = parse_token(await fleet.server.token(member.name))
        await enroll(self.reactor, token, member.directory, lambda: time.time() + TO_2040)
        member.agent.start()
        await self.assert_on_time(fleet, TO_2040)

    async def assert_on_time(self, fleet: Fleet, jump: int = 0) -> None:
        """The device is there, and what it reports now has the time of now, ``jump`` seconds off."""
        await fleet.online()
        await fleet.received_more_than(await fleet.counts())
        now = time.time() + jump
        question = f"readings?device=device-1&series={SERIES}&from={now}&to={now + CLOSE}&step=1"

        async def on_time() -> bool:
            return bool((await fleet.server.ask(question))["t"])

        await until(self.reactor, on_time, "no reading has the time of now", CLOSE)
