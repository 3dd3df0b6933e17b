"""How the first user comes to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import DeferredList, ensureDeferred

from iotcenter.identity.errors import Unfit
from iotcenter.identity.setup import LIFETIME, SetupLink
from iotcenter.interfaces import Refused
from iotcenter.model import Role
from iotcenter.storage.accounts import UserRow
from tests.identity.support import StoreCase, failure_of

GOOD = "correct horse battery"


class SetupLinkTests(StoreCase):
    """One link, good once."""

    def setUp(self) -> None:
        super().setUp()
        self.users = self.new_users()
        self.link = SetupLink(self.store, self.users, self.clock.seconds)

    async def test_redeemed(self) -> None:
        """Whoever has the link becomes the admin, and signs in with the password that they chose."""
        secret = await self.link.issue()
        self.assertTrue(await self.link.check(secret))
        anna = await self.link.redeem(secret, "Anna", GOOD, "Europe/Berlin")
        self.assertEqual((anna.name, anna.role, anna.preferences.time_zone), ("anna", Role.ADMIN, "Europe/Berlin"))
        self.assertEqual(await self.users.authenticate("anna", GOOD), anna)

    async def test_once(self) -> None:
        """A link works once."""
        secret = await self.link.issue()
        await self.link.redeem(secret, "anna", GOOD, "UTC")
        self.assertFalse(await self.link.check(secret))
        await failure_of(self.link.redeem(secret, "berta", GOOD, "UTC"), Refused)

    async def test_twice_at_once(self) -> None:
        """Of two who use it at the same time, one becomes the admin and the other nothing."""
        secret = await self.link.issue()
        both = [ensureDeferred(self.link.redeem(secret, name, GOOD, "UTC")) for name in ("anna", "berta")]
        results = await DeferredList(both, consumeErrors=True)
        self.assertEqual(sorted(succeeded for succeeded, _result in results), [False, True])
        self.assertEqual(await self.users.count(), 1)

    async def test_other_secrets(self) -> None:
        """Nothing but the secret opens it, whatever text is tried."""
        secret = await self.link.issue()
        for wrong in ("", secret[:-1], secret + "x", secret.swapcase(), "ä", "\ud800", "x" * 10**6):
            self.assertFalse(await self.link.check(wrong))
            await failure_of(self.link.redeem(wrong, "anna", GOOD, "UTC"), Refused)
        self.assertEqual(await self.users.count(), 0)

    async def test_no_link(self) -> None:
        """Before one is made, no link is good."""
        self.assertFalse(await self.link.check("2345-6789-ABCD-EFGH"))

    async def test_replaced(self) -> None:
        """A new link ends the former one."""
        first, second = await self.link.issue(), await self.link.issue()
        self.assertEqual((await self.link.check(first), await self.link.check(second)), (False, True))

    async def test_expires(self) -> None:
        """A link is good for a day."""
        secret = await self.link.issue()
        self.clock.advance(LIFETIME - 1)
        self.assertTrue(await self.link.check(secret))
        self.clock.advance(1)
        self.assertFalse(await self.link.check(secret))
        await failure_of(self.link.redeem(secret, "anna", GOOD, "UTC"), Refused)

    async def test_with_users(self) -> None:
        """Where there are users, there is no link, and an older one opens nothing."""
        secret = await self.link.issue()
        await self.users.add("anna", Role.ADMIN, GOOD)
        self.assertFalse(await self.link.check(secret))
        await failure_of(self.link.redeem(secret, "mallory", GOOD, "UTC"), Refused)
        error = await failure_of(self.link.issue(), Refused)
        self.assertEqual(str(error), "there are users already; use iotcenter user passwd")

    async def test_user_meanwhile(self) -> None:
        """Where somebody else becomes a user while the password is hashed, the link opens nothing any more."""
        secret = await self.link.issue()
        row = await self.users.prepare("anna", Role.ADMIN, GOOD, "UTC")
        prepare = self.users.prepare

        async def slowly(*arguments: Any) -> UserRow:
            await self.store.accounts.add_user(row)
            return await prepare(*arguments)

        self.patch(self.users, "prepare", slowly)
        await failure_of(self.link.redeem(secret, "mallory", GOOD, "UTC"), Refused)
        self.assertEqual(await self.users.count(), 1)

    async def test_unfit(self) -> None:
        """A password that is too short does not use the link up."""
        secret = await self.link.issue()
        await failure_of(self.link.redeem(secret, "anna", "short", "UTC"), Unfit)
        await failure_of(self.link.redeem(secret, "", GOOD, "UTC"), Unfit)
        await self.link.redeem(secret, "anna", GOOD, "UTC")

    async def test_restart(self) -> None:
        """A link outlives a restart of the server, and the disk does not give it away."""
        secret = await self.link.issue()
        await self.restart()
        self.assertTrue(await SetupLink(self.store, self.new_users(), self.clock.seconds).check(secret))
        await self.store.close()
        for file in filter(Path.is_file, self.directory.rglob("*")):
            self.assertNotIn(secret.encode(), file.read_bytes())
