"""How devices join, and in which words those are turned away who may not come in."""

from __future__ import annotations

from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.identity.accounts import NO_KEY, Accounts
from iotcenter.identity.authority import device_of, key_of
from iotcenter.identity.certificates import key_of_request
from iotcenter.identity.errors import Unfit
from iotcenter.interfaces import Refused
from iotcenter.storage.errors import NameTaken
from tests.identity.accounts_case import AccountsCase
from tests.identity.support import (
    DEVICE,
    certificate_request,
    clock_at,
    failure_of,
    new_directory,
    new_private_key,
    open_authority,
)


class EnrollTests(AccountsCase):
    """How a device joins."""

    async def test_joined(self) -> None:
        """A device that shows a token gets a certificate for its own key and its new id, and may come in with that."""
        key = new_private_key()
        enrolled = await self.enroll(key)
        certificate = x509.load_der_x509_certificate(enrolled.certificate)
        certificate.verify_directly_issued_by(x509.load_der_x509_certificate(enrolled.root))
        self.assertEqual((enrolled.name, device_of(certificate)), ("kitchen-pi", enrolled.id))
        self.assertEqual(certificate.public_key(), key.public_key())
        self.accounts.check(enrolled.id, key_of(certificate))

    async def test_restart(self) -> None:
        """A device that joined may come in after a restart of the server, but not before the list was read."""
        key = new_private_key()
        enrolled = await self.enroll(key)
        unread = Accounts(self.store, self.authority, self.clock.seconds)
        self.assertRaises(Refused, unread.check, enrolled.id, key_of_request(certificate_request(key)))
        await self.after_restart()
        self.assertEqual(self.refusal(enrolled.id, key), "")

    async def test_once(self) -> None:
        """A token works once, and who comes late is told so."""
        secret = await self.token()
        await self.accounts.enroll(secret, certificate_request(), "test")
        error = await failure_of(self.accounts.enroll(secret, certificate_request(), "test"), Refused)
        self.assertIn("used already", str(error))

    async def test_twice_at_once(self) -> None:
        """Of two who show the same token at the same time, one joins."""
        secret = await self.token()
        both = [self.accounts.enroll(secret, certificate_request(), "test") for _number in range(2)]
        results = await DeferredList(both, consumeErrors=True)
        self.assertEqual(sorted(succeeded for succeeded, _result in results), [False, True])
        self.assertEqual(len(await self.store.devices.all()), 1)

    async def test_twice_at_once_known(self) -> None:
        """It is the same for a token of a device that is known, whose key is then the winner's."""
        await self.enroll(new_private_key())
        secret, keys = await self.token(), [new_private_key(), new_private_key()]
        both = [self.accounts.enroll(secret, certificate_request(key), "test") for key in keys]
        results = await DeferredList(both, consumeErrors=True)
        self.assertEqual(sorted(succeeded for succeeded, _result in results), [False, True])
        [row] = await self.store.devices.all()
        refusals = [self.refusal(row.id, key) == "" for key in keys]
        self.assertEqual(refusals, [succeeded for succeeded, _result in results])

    async def test_expired(self) -> None:
        """A token that has expired is refused, and who shows it is told so."""
        secret = await self.token()
        self.clock.advance(60)
        error = await failure_of(self.accounts.enroll(secret, certificate_request(), "test"), Refused)
        self.assertIn("expired", str(error))

    async def test_unknown(self) -> None:
        """A secret that was never given out, or was withdrawn, is refused."""
        secret = await self.token()
        [row] = await self.enrollments.open()
        await self.enrollments.withdraw(row.id)
        for wrong in (secret, b"\0" * 16, b""):
            error = await failure_of(self.accounts.enroll(wrong, certificate_request(), "test"), Refused)
            self.assertIn("does not know", str(error))

    async def test_bad_request(self) -> None:
        """A bad certificate request does not use the token up."""
        secret = await self.token()
        await failure_of(self.accounts.enroll(secret, b"junk", "test"), Refused)
        await self.accounts.enroll(secret, certificate_request(), "test")

    async def test_again(self) -> None:
        """A known device that enrolls again keeps its id; its old key is refused from then on."""
        old, new = new_private_key(), new_private_key()
        first, second = await self.enroll(old), await self.enroll(new)
        self.assertEqual(first.id, second.id)
        self.assertEqual(self.refusal(first.id, new), "")
        self.assertIn("another key", self.refusal(first.id, old))

    async def test_again_live(self) -> None:
        """A live link with the old key is closed when the device enrolls with another, and not with the same one."""
        key = new_private_key()
        enrolled = await self.enroll(key)
        self.accounts.watch(enrolled.id, self.barred.append)
        await self.enroll(key)
        self.assertEqual(self.barred, [])
        await self.enroll(new_private_key())
        self.assertEqual(len(self.barred), 1)

    async def test_name_taken_meanwhile(self) -> None:
        """A token for a new name is refused where a device took the name meanwhile: it was not meant for that one."""
        early = await self.token()
        key = new_private_key()
        enrolled = await self.enroll(key)
        await failure_of(self.accounts.enroll(early, certificate_request(), "test"), Refused)
        self.assertEqual(self.refusal(enrolled.id, key), "")

    async def test_cancelled(self) -> None:
        """A device that hangs up while it joins is known all the same: list and disk agree."""
        key = new_private_key()
        row = await self.accounts.add("kitchen-pi", "tls", "anna")
        joining = self.accounts.enroll(await self.token(), certificate_request(key), "test")
        joining.cancel()
        await failure_of(joining, CancelledError)
        while not (await self.store.devices.get(row.id)).key:
            pass
        while self.refusal(row.id, key):  # the disk comes first; without an end to this, the list never knew
            await self.settled()


class CheckTests(AccountsCase):
    """Who may come in, and in which words the others are turned away."""

    async def test_words(self) -> None:
        """A device that may not come in is told which of the reasons it is."""
        key = new_private_key()
        self.assertIn("does not know", self.refusal(DEVICE, key))
        row = await self.accounts.add("fresh", "tls", "anna")
        self.assertIn("no key yet", self.refusal(row.id, key))
        enrolled = await self.enroll(key)
        self.assertIn("another key", self.refusal(enrolled.id, new_private_key()))
        await self.accounts.revoke(enrolled.id)
        self.assertIn("revoked", self.refusal(enrolled.id, key))

    async def test_other_device(self) -> None:
        """A device gets nowhere with another's id."""
        keys = [new_private_key(), new_private_key()]
        first, second = [await self.enroll(key, name) for key, name in zip(keys, ("a", "b"), strict=True)]
        self.assertNotEqual(self.refusal(first.id, keys[1]), "")
        self.assertNotEqual(self.refusal(second.id, keys[0]), "")

    async def test_admitted(self) -> None:
        """Who asks for it is told of each device that may come in, when it already may."""
        told: list[tuple[str, str]] = []
        key = new_private_key()
        self.accounts.admitted = lambda row: told.append((row.name, self.refusal(row.id, key)))
        await self.accounts.add("kitchen-pi", "tls", "anna")
        await self.enroll(key)
        self.assertEqual(told, [("kitchen-pi", NO_KEY), ("kitchen-pi", "")])

    async def test_add(self) -> None:
        """A device that was added joins under its id; its name is its own."""
        row = await self.accounts.add("kitchen-pi", "tls", "anna")
        self.assertEqual((await self.enroll(new_private_key())).id, row.id)
        await failure_of(self.accounts.add("kitchen-pi", "tls", "anna"), NameTaken)
        await failure_of(self.accounts.add("Not a name", "tls", "anna"), Unfit)


class AnyBytesTests(SynchronousTestCase):
    """What strangers send."""

    @given(st.binary(max_size=64), st.binary(max_size=4096), st.text())
    def test_any_bytes(self, secret: bytes, request: bytes, agent: str) -> None:
        """Whatever somebody without a token sends, it is refused in words."""
        authority = open_authority(new_directory(self), clock_at())
        accounts = Accounts(NothingKnown(), authority, clock_at().seconds)  # type: ignore[arg-type]
        self.failureResultOf(accounts.enroll(secret, request, agent), Refused)


class NothingKnown:
    """A store that knows no token."""

    devices = None

    class enrollments:
        """Its tokens."""

        @staticmethod
        def find(digest: bytes) -> Deferred[None]:
            """None."""
            return succeed(None)
