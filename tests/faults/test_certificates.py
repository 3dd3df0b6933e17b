"""Certificates that end: renewed over the link that they opened, or too late, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from cryptography.x509 import Certificate, load_der_x509_certificate

from iotcenter.center.subscribers import PresenceEvent
from iotcenter.identity.certificates import renewal_time
from iotcenter.transports import conversations
from iotcenter.wire.messages import Close, CloseCode, Hello, Ping, Pong
from iotcenter.wire.token import parse_token
from iotdevice.credentials import Credentials, load_credentials
from iotdevice.enrollment import enroll
from tests.daemons import AgentProcess
from tests.faults import ECHO_APP
from tests.faults.links import join
from tests.processes import until
from tests.transports.support import Client, Key, TLSTestCase, client_context

DAY = 86400.0


class CertificateTestCase(TLSTestCase):
    """Has a device that runs where real agents do: in a process of its own."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Make its folder, and note its coming and going."""
        await super().setUp()
        self.folder = Path(mkdtemp(prefix="iotcenter-certificates-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.states: list[str] = []
        self.center.subscribers.subscribe(self.note)

    def note(self, event: object) -> None:
        """The device came or went."""
        if isinstance(event, PresenceEvent):
            self.states.append(event.state)

    async def enroll_agent(self) -> Credentials:
        """Enroll it; its credentials."""
        token = await self.enrollments.issue("kitchen-pi", 60, "ann", ("127.0.0.1", self.service.port))
        await enroll(self.reactor, parse_token(token), self.folder)
        return self.credentials

    @property
    def credentials(self) -> Credentials:
        """What the device has on its disk."""
        found = load_credentials(self.folder)
        assert found is not None
        return found

    def start_agent(self) -> AgentProcess:
        """Start it."""
        agent = AgentProcess(self.reactor, self.folder, ECHO_APP)
        self.addCleanup(agent.kill)
        agent.start()
        return agent

    async def becomes(self, state: str) -> None:
        """Done when the device's state is that."""
        devices = self.center.devices
        await until(self.reactor, lambda: devices.get("kitchen-pi").state == state, f"the device is not {state}")


class ShortLivedTests(CertificateTestCase):
    """Certificates of 15 seconds, of which a busy machine needs many to start a device."""

    device_days = 15 / DAY

    async def test_renewed_on_the_same_link(self) -> None:
        """At two thirds of its life a certificate is renewed, again and again, and the link never drops."""
        due, lateness = [(await self.enroll_agent()).due], []
        renew = self.accounts.renew

        async def renewed(device: str, request: bytes) -> bytes:
            lateness.append(self.reactor.seconds() - due[-1])
            certificate = await renew(device, request)
            due.append(renewal_time(load_der_x509_certificate(certificate)))
            return certificate

        self.patch(self.accounts, "renew", renewed)
        first = self.credentials
        self.start_agent()
        await self.becomes("online")
        await until(self.reactor, lambda: len(due) > 2, "it is not renewed")
        self.assertGreater(self.reactor.seconds(), first.expires)
        self.assertEqual(set(self.states), {"online"})
        self.assertTrue(all(0 <= late < first.lifetime / 3 for late in lateness), lateness)
        self.assertGreater(self.credentials.expires, self.reactor.seconds())
        self.assertEqual(self.credentials.key.public_key(), first.key.public_key())


class LastingTests(CertificateTestCase):
    """Certificates as they are in the field."""

    async def test_expired_while_off(self) -> None:
        """A device that was off for too long renews its certificate, and comes in with the new one."""
        self.patch(self.authority, "_device_lifetime", DAY)
        self.patch(self.authority, "_seconds", lambda: self.reactor.seconds() - 2 * DAY)
        self.assertLess((await self.enroll_agent()).expires, self.reactor.seconds())
        self.patch(self.authority, "_seconds", self.reactor.seconds)
        agent = self.start_agent()
        await self.becomes("online")
        self.assertGreater(self.credentials.expires, self.reactor.seconds())
        self.assertIn("the expired certificate is renewed", agent.program.said)
        self.assertTrue(any("renewed its expired certificate" in line for line in self.lines))

    async def test_server_renews_its_own(self) -> None:
        """When the server has a new certificate, new links see it, and those that stand do not notice."""
        old = await self.join(*await self.enroll("kitchen-pi"))
        self.patch(self.authority, "_seconds", lambda: self.reactor.seconds() + 61 * DAY)
        self.authority.server_credentials()
        self.patch(self.authority, "_seconds", self.reactor.seconds)
        new = await self.join(*await self.enroll("hall-pi"))
        self.assertNotEqual(_shown(old), _shown(new))
        pong = old.next(Pong)
        old.send(Ping())
        await pong

    async def join(self, key: Key, certificate: Certificate) -> Client:
        """A link that the server has taken in."""
        client = await join(self.reactor, self.service.port, client_context(key, [certificate]))
        self.clients.append(client)
        return client


def _shown(client: Client) -> Any:
    """The certificate that the server showed."""
    transport: Any = client.transport
    return transport.getHandle().get_peer_certificate(as_cryptography=True)


class ExpiredTests(TLSTestCase):
    """A device that never renews."""

    device_days = 1 / DAY

    async def test_closed_after_the_grace(self) -> None:
        """Its link outlives the certificate by the grace, and no longer."""
        grace = 0.5
        self.patch(conversations, "EXPIRED_GRACE", grace)
        key, certificate = await self.enroll("kitchen-pi")
        client = await self.connect(client_context(key, [certificate]))
        closing = client.next(Close)
        client.send(Hello(boot=1))
        self.assertEqual((await closing).code, CloseCode.EXPIRED)
        late = self.reactor.seconds() - certificate.not_valid_after_utc.timestamp() - grace
        self.assertTrue(0 <= late < 0.5, late)
        await client.lost
