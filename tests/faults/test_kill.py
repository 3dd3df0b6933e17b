"""``kill -9`` at any moment, of the server and of a device: nothing that was promised is lost, nothing is doubled."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from tempfile import mkdtemp
from typing import Any

from twisted.internet.defer import succeed
from twisted.trial.unittest import TestCase

from tests.faults.books import spooled
from tests.faults.fleet import Fleet
from tests.processes import until

ROUNDS = 3
"""How often a device is killed while its server is away, and again while it is there."""

SOME = 100
"""How many readings are to wait in the spool before its device is killed."""


class KillTestCase(TestCase):
    """Has a server with devices that make 200 readings a second each."""

    size = 1
    settings = ""

    async def setUp(self) -> None:  # type: ignore[override]
        """Start all."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-kill-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.fleet = Fleet(reactor, self.folder, self.size, self.settings)
        self.addCleanup(self.fleet.stop)
        self.seed = f"seed {int.from_bytes(os.urandom(4))}"
        self.random = random.Random(self.seed)
        await self.fleet.start()

    async def assert_holds(self, needed: dict[str, set[int]]) -> None:
        """All that is ``needed`` gets there, and nothing twice; the server's account says the same."""
        found = await self.fleet.holds(needed)
        self.assertEqual(self.fleet.faults(found, needed) + self.fleet.broken_promises(found), [], self.seed)
        await until(
            self.reactor, lambda: self.account_agrees(needed), f"the account is not what is on disk, {self.seed}"
        )

    async def account_agrees(self, needed: dict[str, set[int]]) -> bool:
        """Whether the server says what its disk has. Looked at again, since a device may still be sending what it did
        not hear the acknowledgement of."""
        found = await self.fleet.holds(needed)
        for device in (await self.fleet.server.devices()).values():
            account, stored = device["account"], found[device["id"]]
            self.assertEqual(account["lost"], 0)
            if (account["received"], account["duplicates"]) != (stored.received, stored.duplicates):
                return False
        return True


class ServerTests(KillTestCase):
    """The server dies while five devices report."""

    size = 5

    async def test_killed(self) -> None:
        """What was acknowledged is on disk at the moment of death; all that was made is there in the end, once."""
        for moment in (self.fleet.a_commit, self.fleet.a_promise, self.fleet.a_commit, lambda: succeed(None)):
            await self.fleet.a_moment(self.random)
            await moment()
            found = await self.fleet.kill_server()
            self.assertTrue(all(member.journal.promised() for member in self.fleet.members))
            self.assertEqual(self.fleet.broken_promises(found), [], self.seed)
            await self.fleet.server.start()
            await self.fleet.online()
        await self.fleet.drain()
        await self.assert_holds({member.name: set(member.journal.numbers()) for member in self.fleet.members})


class DeviceTests(KillTestCase):
    """The device dies. It brings each reading to disk at once, so that there is more to get wrong."""

    settings = '[spool]\nsync = "always"\n'

    async def test_killed(self) -> None:
        """What was in its spool comes in, though it dies while the server is away, and while it hands in; nothing is
        doubled."""
        [member] = self.fleet.members
        kept: set[int] = set()
        for _ in range(ROUNDS):
            kept |= await self.kill_while_spooling()
            counts = await self.fleet.counts()
            member.agent.start()
            await self.fleet.received_more_than(counts)
            kept |= await self.kill_at_work()
            member.agent.start()
        last = max(member.journal.numbers())
        await self.fleet.drain()
        await self.assert_holds({member.name: kept | {one for one in member.journal.numbers() if one > last}})

    async def kill_while_spooling(self) -> set[int]:
        """The device dies while its server does not answer; the answer is what was in its spool."""
        [member] = self.fleet.members
        self.fleet.server.program.signal(SIGSTOP)
        await until(self.reactor, lambda: len(spooled(member.directory)) > SOME, "the spool does not fill")
        await member.agent.kill()
        self.fleet.server.program.signal(SIGCONT)
        return set(spooled(member.directory).values())

    async def kill_at_work(self) -> set[int]:
        """The device dies while it hands readings in."""
        [member] = self.fleet.members
        await self.fleet.a_moment(self.random)
        await member.agent.kill()
        return set(spooled(member.directory).values())
