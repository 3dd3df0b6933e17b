"""Who is turned away by the TLS transport, and how they and the log are told."""

from __future__ import annotations

from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL

from iotcenter.wire.messages import Close, CloseCode, Enroll, Enrolled, Hello, Ping, Renew, Welcome
from iotcenter.wire.names import ALPN_ENROLL
from iotcenter.wire.token import parse_token
from tests.transports.forgery import DAY, Plan, forge, root_key
from tests.transports.support import TLSTestCase, client_context, new_key, random_secret, request_for


class BadClientsTests(TLSTestCase):
    """The nine bad clients, and some more: each is refused with its reason, for its owner and in the log."""

    async def assert_refused(self, context: SSL.Context, *words: str) -> None:
        """A client with ``context`` gets no further than a reason that holds ``words``."""
        close = await self.refusal(context, Hello())
        for text in (close.reason, self.lines[-1]):
            for word in words:
                self.assertIn(word, text)
        self.assertIn("127.0.0.1:", self.lines[-1])
        self.assertEqual([device.name for device in self.center.devices.all() if device.state == "online"], [])

    async def test_no_certificate(self) -> None:
        """Nobody comes in without one."""
        await self.assert_refused(client_context(), "shows no certificate")

    async def test_another_root(self) -> None:
        """One that another authority signed, for a device that is known here."""
        await self.enroll("kitchen-pi")
        key, other = new_key(), new_key()
        root = forge(other, Plan("f" * 32, authority=True), other)
        certificate = forge(key, Plan(self.center.devices.get("kitchen-pi").id), other, root)
        await self.assert_refused(client_context(key, [certificate, root]), "another authority")

    async def test_signed_by_itself(self) -> None:
        """One that nobody signed."""
        key = new_key()
        await self.assert_refused(client_context(key, [forge(key, Plan("f" * 32), key)]), "signed by itself")

    async def test_expired(self) -> None:
        """One that is over is good for renewal alone."""
        key, _ = await self.enroll("kitchen-pi")
        device = self.center.devices.get("kitchen-pi").id
        plan = Plan(device, -2 * DAY, timedelta(seconds=-1))
        certificate = forge(key, plan, root_key(self.directory), self.authority.root)
        await self.assert_refused(client_context(key, [certificate]), "expired", "renewed")

    async def test_not_yet_valid(self) -> None:
        """One from the future."""
        key, _ = await self.enroll("kitchen-pi")
        plan = Plan(self.center.devices.get("kitchen-pi").id, DAY, 2 * DAY)
        certificate = forge(key, plan, root_key(self.directory), self.authority.root)
        await self.assert_refused(client_context(key, [certificate]), "not valid yet")

    async def test_wrong_key_usage(self) -> None:
        """One whose key is not for signing."""
        key, _ = await self.enroll("kitchen-pi")
        plan = Plan(self.center.devices.get("kitchen-pi").id, signs_data=False)
        certificate = forge(key, plan, root_key(self.directory), self.authority.root)
        await self.assert_refused(client_context(key, [certificate]), "not for a device")

    async def test_a_servers_certificate(self) -> None:
        """One that is a server's, with a device's name in it; and the server's own."""
        key, _ = await self.enroll("kitchen-pi")
        plan = Plan(self.center.devices.get("kitchen-pi").id, purpose=ExtendedKeyUsageOID.SERVER_AUTH)
        certificate = forge(key, plan, root_key(self.directory), self.authority.root)
        await self.assert_refused(client_context(key, [certificate]), "not for a device")
        credentials = self.authority.server_credentials()
        assert isinstance(credentials.key, EllipticCurvePrivateKey)
        await self.assert_refused(client_context(credentials.key, credentials.chain), "not for a device")

    async def test_revoked(self) -> None:
        """One that was revoked is refused the next time too."""
        key, certificate = await self.enroll("kitchen-pi")
        await self.center.devices.revoke("kitchen-pi", "ann")
        await self.assert_refused(client_context(key, [certificate]), "revoked")

    async def test_signed_by_a_leaf(self) -> None:
        """One that another device signed, with its own certificate beside it."""
        leaf_key, leaf = await self.enroll("garage")
        await self.enroll("kitchen-pi")
        key = new_key()
        certificate = forge(key, Plan(self.center.devices.get("kitchen-pi").id), leaf_key, leaf)
        await self.assert_refused(client_context(key, [certificate, leaf]), "may not sign")

    async def test_tls_1_2(self) -> None:
        """An older TLS ends in the handshake."""
        key, certificate = await self.enroll("kitchen-pi")
        client = await self.connect(client_context(key, [certificate], method=SSL.TLS1_2_VERSION))
        self.assertIn("protocol version", await client.lost)
        self.assertIn("unsupported protocol", self.lines[-1])

    async def test_another_devices_name(self) -> None:
        """A device that shows another's id with its own key gets nowhere, though the root signed it."""
        await self.enroll("kitchen-pi")
        key, _ = await self.enroll("garage")
        plan = Plan(self.center.devices.get("kitchen-pi").id)
        certificate = forge(key, plan, root_key(self.directory), self.authority.root)
        await self.assert_refused(client_context(key, [certificate]), "another key")

    async def test_an_unknown_device(self) -> None:
        """One that the root signed for a device that is not on the list."""
        key = new_key()
        certificate = forge(key, Plan("f" * 32), root_key(self.directory), self.authority.root)
        await self.assert_refused(client_context(key, [certificate]), "does not know")

    async def test_no_protocol(self) -> None:
        """One that does not say what it wants."""
        key, certificate = await self.enroll("kitchen-pi")
        await self.assert_refused(client_context(key, [certificate], protocols=[b"http/1.1"]), "ALPN")
        await self.assert_refused(client_context(key, [certificate], protocols=[]), "ALPN")


class ExpiredTests(TLSTestCase):
    """A device whose certificate has expired may renew it, and do nothing else."""

    async def expired(self) -> SSL.Context:
        """A device that was away for too long."""
        self.key, _ = await self.enroll("kitchen-pi")
        self.device = self.center.devices.get("kitchen-pi").id
        plan = Plan(self.device, -2 * DAY, timedelta(seconds=-1))
        return client_context(self.key, [forge(self.key, plan, root_key(self.directory), self.authority.root)])

    async def test_renews(self) -> None:
        """It gets a new certificate for its key, and comes in with it."""
        client = await self.connect(await self.expired())
        renewed = client.next(Renew)
        client.send(Renew(request=request_for(self.key)))
        from cryptography.x509 import load_der_x509_certificate

        certificate = load_der_x509_certificate((await renewed).certificate)
        await client.lost
        client = await self.connect(client_context(self.key, [certificate]))
        welcome = client.next(Welcome)
        client.send(Hello())
        self.assertEqual((await welcome).id, self.device)

    async def test_not_with_another_key(self) -> None:
        """The key must be the one on record."""
        context = await self.expired()
        close = await self.refusal(context, Renew(request=request_for(new_key())))
        self.assertEqual(close.code, CloseCode.REFUSED)

    async def test_nothing_else(self) -> None:
        """Anything but a renewal ends the connection, also a second one."""
        context = await self.expired()
        for message in (Hello(), Ping(), Enroll(random_secret(), b"")):
            self.assertEqual((await self.refusal(context, message)).code, CloseCode.EXPIRED)

    async def test_not_when_revoked(self) -> None:
        """A revoked device does not get back in by renewal."""
        context = await self.expired()
        await self.center.devices.revoke("kitchen-pi", "ann")
        self.assertIn("revoked", (await self.refusal(context, Renew(request=request_for(self.key)))).reason)


class EnrollmentTests(TLSTestCase):
    """A token lets one device in, once."""

    async def enrollment(self, secret: bytes) -> Close:
        """How the server turns somebody away who shows ``secret``."""
        context = client_context(protocols=[ALPN_ENROLL])
        return await self.refusal(context, Enroll(secret, request_for(new_key())))

    async def test_once(self) -> None:
        """The device is known by then; a second showing is refused in words."""
        token = parse_token(await self.enrollments.issue("kitchen-pi", 60, "ann", ("localhost", 1)))
        client = await self.connect(client_context(protocols=[ALPN_ENROLL]))
        enrolled = client.next(Enrolled)
        client.send(Enroll(token.secret, request_for(new_key()), "test/1"))
        self.assertEqual((await enrolled).name, "kitchen-pi")
        await client.lost
        self.assertIn("used already", (await self.enrollment(token.secret)).reason)
        self.assertEqual([device.name for device in self.center.devices.all()], ["kitchen-pi"])

    async def test_unknown(self) -> None:
        """A guess is refused, and stands in the log."""
        self.assertIn("does not know", (await self.enrollment(random_secret())).reason)
        self.assertIn("refused", self.lines[-1])

    async def test_nothing_else_over_it(self) -> None:
        """The protocol of enrollment takes Enroll alone."""
        context = client_context(protocols=[ALPN_ENROLL])
        for message in (Hello(), Ping(), Renew()):
            self.assertEqual((await self.refusal(context, message)).code, CloseCode.PROTOCOL)
