"""How devices are shut out (``accounts.py``)."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, DeferredList

from iotcenter.interfaces import Refused
from iotcenter.storage.errors import NotFound
from tests.identity.accounts_case import AccountsCase
from tests.identity.support import (
    DEVICE,
    certificate_request,
    failure_of,
    new_private_key,
)


class RevokeTests(AccountsCase):
    """How a device is shut out."""

    async def test_live_link(self) -> None:
        """A live link is told in the same turn in which storage confirms, and the device is refused in that turn."""
        key = new_private_key()
        enrolled = await self.enroll(key)
        seen: list[str] = []
        self.accounts.watch(enrolled.id, lambda reason: seen.append(self.refusal(enrolled.id, key)))
        self.accounts.watch(enrolled.id, self.barred.append)
        await self.accounts.revoke(enrolled.id)
        self.assertEqual(len(self.barred), 1)
        self.assertIn("revoked", self.barred[0])
        self.assertIn("revoked", seen[0])

    async def test_other_links(self) -> None:
        """Other devices, and links that are gone, are not told."""
        first, second = await self.enroll(new_private_key(), "a"), await self.enroll(new_private_key(), "b")
        self.accounts.watch(first.id, self.barred.append)()
        self.accounts.watch(second.id, self.barred.append)
        await self.accounts.revoke(first.id)
        self.assertEqual(self.barred, [])

    async def test_restart(self) -> None:
        """A revocation outlives a restart."""
        key = new_private_key()
        enrolled = await self.enroll(key)
        await self.accounts.revoke(enrolled.id)
        await self.after_restart()
        self.assertIn("revoked", self.refusal(enrolled.id, key))

    async def test_token_from_before(self) -> None:
        """A token from before the revocation brings nobody back."""
        key = new_private_key()
        enrolled = await self.enroll(key)
        secret = await self.token()
        await self.accounts.revoke(enrolled.id)
        await failure_of(self.accounts.enroll(secret, certificate_request(), "test"), Refused)
        self.assertIn("revoked", self.refusal(enrolled.id, key))

    async def test_token_that_seemed_over(self) -> None:
        """A token that had expired by a wrong clock brings nobody back when the clock is set right."""
        key = new_private_key()
        enrolled = await self.enroll(key)
        secret = await self.token()
        self.clock.rightNow += 86400
        await self.accounts.revoke(enrolled.id)
        self.clock.rightNow -= 86400
        await failure_of(self.accounts.enroll(secret, certificate_request(), "test"), Refused)

    async def test_token_from_after(self) -> None:
        """A token from after it does, as the same device, also with the same key, and also after a restart."""
        key = new_private_key()
        enrolled = await self.enroll(key)
        await self.accounts.revoke(enrolled.id)
        self.assertEqual((await self.enroll(key)).id, enrolled.id)
        self.assertEqual(self.refusal(enrolled.id, key), "")
        await self.after_restart()
        self.assertEqual(self.refusal(enrolled.id, key), "")

    async def test_while_renewing(self) -> None:
        """Renewals that are under way while the device is revoked do not bring it back."""
        key = new_private_key()
        enrolled = await self.enroll(key)
        revoking = self.accounts.revoke(enrolled.id)
        renewals = []
        while not revoking.called:
            renewals.append(self.accounts.renew(enrolled.id, certificate_request(key)))
            await self.settled()
        await DeferredList(renewals, consumeErrors=True)
        await revoking
        for _time in range(2):
            self.assertIn("revoked", self.refusal(enrolled.id, key))
            await self.after_restart()

    async def test_while_enrolling(self) -> None:
        """A token that is redeemed while its device is revoked does not bring it back, whichever was first."""
        for revoked_first in (False, True):
            key = new_private_key()
            enrolled = await self.enroll(new_private_key())
            secret = await self.token()
            if revoked_first:
                revoking = self.accounts.revoke(enrolled.id)
            joining = self.accounts.enroll(secret, certificate_request(key), "test")
            if not revoked_first:
                revoking = self.accounts.revoke(enrolled.id)
            await DeferredList([joining], consumeErrors=True)
            await revoking
            for _time in range(2):
                self.assertIn("revoked", self.refusal(enrolled.id, key))
                await self.after_restart()

    async def test_cancelled(self) -> None:
        """A browser that goes away right after the click has revoked the device all the same."""
        key = new_private_key()
        enrolled = await self.enroll(key)
        closed: Deferred[str] = Deferred()
        self.accounts.watch(enrolled.id, closed.callback)
        click = self.accounts.revoke(enrolled.id)
        click.cancel()
        await failure_of(click, CancelledError)
        await closed
        self.assertIn("revoked", self.refusal(enrolled.id, key))

    async def test_unknown(self) -> None:
        """There is no shutting out a device that is not there."""
        await failure_of(self.accounts.revoke(DEVICE), NotFound)
        await failure_of(self.accounts.remove(DEVICE), NotFound)

    async def test_removed(self) -> None:
        """A device that is removed is shut out, and unknown; its name is free for another."""
        key = new_private_key()
        enrolled = await self.enroll(key)
        self.accounts.watch(enrolled.id, self.barred.append)
        await self.accounts.remove(enrolled.id)
        self.assertEqual(len(self.barred), 1)
        self.assertIn("removed", self.barred[0])
        self.assertIn("does not know", self.refusal(enrolled.id, key))
        self.assertNotEqual((await self.enroll(key)).id, enrolled.id)

    async def test_token_of_a_removed_device(self) -> None:
        """No token from before the removal brings a device of that name back, whether it was for it or for its name."""
        for_the_name = await self.token()
        enrolled = await self.enroll(new_private_key())
        for_the_device = await self.token()
        await self.accounts.remove(enrolled.id)
        for secret in (for_the_name, for_the_device):
            await failure_of(self.accounts.enroll(secret, certificate_request(), "test"), Refused)
        self.assertEqual(await self.store.devices.all(), ())
