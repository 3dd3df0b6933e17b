"""How devices get their next certificates (``accounts.py``)."""

from __future__ import annotations

from cryptography import x509
from twisted.internet.defer import DeferredList

from iotcenter.identity.accounts import RENEWALS
from iotcenter.identity.authority import device_of
from iotcenter.identity.errors import TooManyTries
from iotcenter.interfaces import Refused
from tests.identity.accounts_case import AccountsCase
from tests.identity.support import (
    certificate_request,
    failure_of,
    new_private_key,
)


class RenewTests(AccountsCase):
    """How a device gets its next certificate."""

    async def test_renewed(self) -> None:
        """A device gets a certificate that lives longer, for the same id and key, and storage knows until when."""
        key = new_private_key()
        enrolled = await self.enroll(key)
        self.clock.advance(60 * 86400)
        certificate = x509.load_der_x509_certificate(await self.accounts.renew(enrolled.id, certificate_request(key)))
        self.assertEqual((device_of(certificate), certificate.public_key()), (enrolled.id, key.public_key()))
        end = certificate.not_valid_after_utc.timestamp()
        self.assertEqual(end, self.clock.seconds() + 90 * 86400)
        self.assertEqual((await self.store.devices.get(enrolled.id)).certificate_expires, end)

    async def test_other_key(self) -> None:
        """A device gets a certificate for no key but the one on record."""
        enrolled = await self.enroll(new_private_key())
        error = await failure_of(self.accounts.renew(enrolled.id, certificate_request()), Refused)
        self.assertIn("another key", str(error))

    async def test_not_its_own(self) -> None:
        """A request that somebody else signed gets nothing."""
        enrolled = await self.enroll(new_private_key())
        await failure_of(self.accounts.renew(enrolled.id, b"junk"), Refused)

    async def test_revoked(self) -> None:
        """A device that was revoked gets nothing."""
        key = new_private_key()
        enrolled = await self.enroll(key)
        await self.accounts.revoke(enrolled.id)
        await failure_of(self.accounts.renew(enrolled.id, certificate_request(key)), Refused)

    async def test_while_replaced(self) -> None:
        """A renewal under way while the device enrolls with another key does not bring the old key back."""
        old, new = new_private_key(), new_private_key()
        enrolled = await self.enroll(old)
        secret = await self.token()
        joining = self.accounts.enroll(secret, certificate_request(new), "test")
        renewals = []
        while not joining.called:
            renewals.append(self.accounts.renew(enrolled.id, certificate_request(old)))
            await self.settled()
        await DeferredList(renewals, consumeErrors=True)
        await joining
        for _time in range(2):
            self.assertEqual(self.refusal(enrolled.id, new), "")
            self.assertIn("another key", self.refusal(enrolled.id, old))
            await self.after_restart()

    async def test_too_often(self) -> None:
        """A device that renews without end is slowed down, and others are not."""
        keys = [new_private_key(), new_private_key()]
        first, second = [await self.enroll(key, name) for key, name in zip(keys, ("a", "b"), strict=True)]
        for _time in range(RENEWALS):
            await self.accounts.renew(first.id, certificate_request(keys[0]))
        await failure_of(self.accounts.renew(first.id, certificate_request(keys[0])), TooManyTries)
        await self.accounts.renew(second.id, certificate_request(keys[1]))

    async def test_storage_fails(self) -> None:
        """A device that cannot be served now is told why."""
        key = new_private_key()
        enrolled, secret = await self.enroll(key), await self.token()
        await self.store.close()
        await failure_of(self.accounts.renew(enrolled.id, certificate_request(key)), Refused)
        await failure_of(self.accounts.enroll(secret, certificate_request(), "test"), Refused)
