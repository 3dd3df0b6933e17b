"""The server dies while many devices report, again and again, and all of them come back."""

from __future__ import annotations

import os
import random

from twisted.internet.task import deferLater

from tests.faults.crowd_case import THERE_WITHIN, CrowdTestCase

ROUNDS = 20
"""How often the server is killed."""


class KilledTests(CrowdTestCase):
    """200 devices, and a server that is killed every other second."""

    size = 200
    every = 0.25

    async def test_killed(self) -> None:
        """It serves again by itself each time; nothing is lost, and nothing doubled."""
        seed = f"seed {int.from_bytes(os.urandom(4))}"
        chance = random.Random(seed)
        for _ in range(ROUNDS):
            await deferLater(self.reactor, chance.uniform(0.3, 2.0))
            await self.server.kill()
            await self.server.start()
        await self.assert_nothing_lost()


class ReturnTests(CrowdTestCase):
    """2,000 devices, whose server is killed once."""

    size = 2000
    every = 5.0
    words = ("patient",)

    async def test_back(self) -> None:
        """All are back, since they do not come all at once."""
        await self.server.kill()
        await self.crowd.until("links: 0\n")
        self.crowd.output = ""
        await self.server.start()
        await self.crowd.until(self.all_there, THERE_WITHIN)
        await self.assert_nothing_lost()
