"""A device's link over TLS: alive, dead, hostile, renewed, revoked."""

from __future__ import annotations

import socket
import ssl
import struct
import time

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import load_der_x509_certificate
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from iotcenter.center.links import DeviceLink
from iotcenter.model import Reading
from iotcenter.transports import conversations
from iotcenter.transports.tls import TLSSettings
from iotcenter.transports.tls_connection import Connection
from iotcenter.wire.codec import decode, encode
from iotcenter.wire.framing import FrameReader, frame
from iotcenter.wire.messages import Ack, Close, CloseCode, Hello, Ping, Pong, Renew, Report, Welcome
from iotcenter.wire.names import ALPN_LINK
from tests.closing import close_while_full, made
from tests.transports.support import Client, TLSTestCase, client_context, request_for


class Unmoved:
    """A stream that takes all, and says nothing."""

    def received(self, data: bytes) -> None:
        """See ``Stream``."""

    full = drained = lambda self: None


class LinkTestCase(TLSTestCase):
    """Has a device that is enrolled."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Enroll it."""
        await super().setUp()
        self.key, self.certificate = await self.enroll("kitchen-pi")

    @property
    def context(self) -> SSL.Context:
        """What the device shows."""
        return client_context(self.key, [self.certificate])

    async def join(self, hello: Hello | None = None) -> Client:
        """The device's link stands."""
        client = await self.connect(self.context)
        welcome = client.next(Welcome)
        client.send(hello or Hello(boot=1))
        self.welcome = await welcome
        return client

    @property
    def state(self) -> str:
        """Whether the device is there."""
        return self.center.devices.get("kitchen-pi").state

    def departed(self) -> Deferred[str]:
        """Fires when the device has gone offline, with the reason."""
        gone: Deferred[str] = Deferred()
        detach = self.center.links.detach

        def note(attachment: DeviceLink, reason: str) -> None:
            detach(attachment, reason)
            gone.callback(reason)

        self.patch(self.center.links, "detach", note)
        return gone


class LinkTests(LinkTestCase):
    """What a link carries."""

    async def test_readings_over_it(self) -> None:
        """A report is acknowledged, and a ping answered."""
        client = await self.join()
        acknowledged, pong = client.next(Ack), client.next(Pong)
        client.send(Report(1, 1, (Reading("t", 21.5),)))
        client.send(Ping())
        self.assertEqual(await acknowledged, Ack(1, 1, 1))
        await pong
        self.assertEqual(self.state, "online")
        self.assertEqual(self.center.devices.get("kitchen-pi").address, "127.0.0.1")

    async def test_traffic(self) -> None:
        """The bytes of its messages are counted, each way."""
        client = await self.join()
        before = self.center.devices.traffic("kitchen-pi")
        pong = client.next(Pong)
        client.send(Ping())
        await pong
        after = self.center.devices.traffic("kitchen-pi")
        assert before is not None and after is not None
        self.assertEqual(after.received - before.received, len(frame(Ping())))
        self.assertEqual(after.sent - before.sent, len(frame(Pong())))

    async def test_the_server_stops(self) -> None:
        """Devices are told, and their links end."""
        client = await self.join()
        closing = client.next(Close)
        await self.service.stopService()
        self.assertEqual((await closing).code, CloseCode.STOPPING)

    async def test_a_device_says_goodbye(self) -> None:
        """An agent that stops says so, and the log has its words."""
        client = await self.join()
        gone = self.departed()
        client.send(Close(CloseCode.STOPPING, "the agent stops"))
        self.assertEqual(await gone, "the agent stops")
        await client.lost

    async def test_closed_while_full(self) -> None:
        """A device that closes TLS while a stream has much for it is gone once it has read that."""
        connections = made(self, Connection)
        client = await self.join(Hello(heartbeat=300.0))
        gone = self.departed()
        connections[0].become(Unmoved())
        await close_while_full(self.reactor, connections[0], client)
        await gone
        await client.lost

    async def test_no_session_tickets(self) -> None:
        """A client that keeps its session cannot resume it: the server asks for the certificate each time."""
        context = self.standard_context()
        first = await deferToThread(self.visit, context, None)
        await deferToThread(self.visit, context, first)
        await self.center.devices.revoke("kitchen-pi", "ann")
        with self.assertRaises(ConnectionError):
            await deferToThread(self.visit, context, first)
        self.assertIn("revoked", self.lines[-1])

    def standard_context(self) -> ssl.SSLContext:
        """A client of Python's own ssl, which can resume sessions."""
        key, chain = self.directory / "key.pem", self.directory / "chain.pem"
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        chain.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(chain, key)
        context.set_alpn_protocols([ALPN_LINK.decode()])
        return context

    def visit(self, context: ssl.SSLContext, session: ssl.SSLSession | None) -> ssl.SSLSession:
        """Come in, be welcomed, and bring home the session; blocks, so it is for a thread."""
        with (
            socket.create_connection(("127.0.0.1", self.service.port), 10) as plain,
            context.wrap_socket(plain, session=session) as secured,
        ):
            secured.sendall(frame(Hello()))
            message = decode(next(FrameReader().receive(secured.recv(4096))))
            if not isinstance(message, Welcome):
                raise ConnectionError(message)
            if secured.session_reused or secured.session is None:
                raise AssertionError("the session was resumed")
            return secured.session


class HostileTests(LinkTestCase):
    """What a device of ours may not send, should somebody have taken it over."""

    async def assert_closed(self, data: bytes, words: str) -> None:
        """The link ends at ``data``, with ``words`` for the device and in the log, which has one line more."""
        client = await self.join()
        lines = len(self.lines)
        closing = client.next(Close)
        client.write(data)
        close = await closing
        self.assertEqual(close.code, CloseCode.PROTOCOL)
        self.assertIn(words, close.reason)
        await client.lost
        warnings = [line for line in self.lines[lines:] if words in line]
        self.assertEqual(len(warnings), 1)
        self.assertIn("127.0.0.1", warnings[0])

    async def test_lengths(self) -> None:
        """A frame of 4 GiB, or of more than the limit, is refused from its length."""
        await self.assert_closed(b"\xff\xff\xff\xff", "4294967295")
        await self.assert_closed(struct.pack(">I", 1024 * 1024 + 1), "1048577")

    async def test_nonsense(self) -> None:
        """What does not decode ends the link, and nothing changes."""
        await self.assert_closed(struct.pack(">I", 3) + b"\xc1\xc1\xc1", "does not decode")
        bomb = b"\x94\x07\x01\xa4done" + b"\x91" * 100_000
        await self.assert_closed(struct.pack(">I", len(bomb)) + bomb, "nested too deeply")

    async def test_what_only_a_server_says(self) -> None:
        """A device does not send Welcome."""
        body = encode(Welcome("x", "y", 0.0, 1.0))
        await self.assert_closed(struct.pack(">I", len(body)) + body, "does not send Welcome")

    async def test_hello_comes_first(self) -> None:
        """A report before Hello ends the connection."""
        close = await self.refusal(self.context, Report(1, 1, (Reading("t", 1.0),)))
        self.assertIn("Hello", close.reason)

    async def test_a_long_first_frame(self) -> None:
        """Before a device has said Hello, frames are short."""
        client = await self.connect(self.context)
        closing = client.next(Close)
        client.write(struct.pack(">I", 512 * 1024))
        self.assertIn("524288", (await closing).reason)


class RevocationTests(LinkTestCase):
    """A revoked device is out."""

    async def test_within_the_turn(self) -> None:
        """Its live link is told and closed in far less than a tenth of a second, and the next is refused."""
        client = await self.join()
        closing = client.next(Close)
        began = time.monotonic()
        await self.center.devices.revoke("kitchen-pi", "ann")
        self.assertEqual(self.state, "offline")
        self.assertEqual((await closing).code, CloseCode.REVOKED)
        await client.lost
        self.elapsed = time.monotonic() - began
        self.assertIn("revoked", (await self.refusal(self.context, Hello())).reason)

    async def test_what_it_still_sends_counts_for_nothing(self) -> None:
        """A device that does not take the hint is cut off, and its last readings are not stored."""
        client = await self.join()
        client.transport.pauseProducing()  # type: ignore[union-attr]
        await self.center.devices.revoke("kitchen-pi", "ann")
        client.send(Report(1, 1, (Reading("t", 1.0),)))
        client.transport.resumeProducing()  # type: ignore[union-attr]
        await client.lost
        self.assertEqual(self.center.devices.get("kitchen-pi").account.received, 0)


class RenewalTests(LinkTestCase):
    """Certificates are renewed over the link that they opened."""

    device_days = 20 / 86400

    async def test_on_the_same_link(self) -> None:
        """The link stays, and the new certificate is for the same key and lives longer."""
        client = await self.join()
        renewed = client.next(Renew)
        client.send(Renew(request=request_for(self.key)))
        certificate = load_der_x509_certificate((await renewed).certificate)
        self.assertEqual(certificate.public_key(), self.certificate.public_key())
        self.assertGreaterEqual(certificate.not_valid_after_utc, self.certificate.not_valid_after_utc)
        self.assertEqual(self.state, "online")

    async def test_a_link_outlives_its_certificate_only_for_a_while(self) -> None:
        """A link whose certificate was not renewed ends, in words."""
        self.patch(conversations, "EXPIRED_GRACE", -19.8)
        client = await self.join()
        self.assertEqual((await client.next(Close)).code, CloseCode.EXPIRED)


class HalfOpenTests(LinkTestCase):
    """A peer that vanished without a word is found out."""

    settings = TLSSettings(listen="127.0.0.1:0", heartbeat=1.0)

    async def test_a_silent_device_goes_offline(self) -> None:
        """It is asked once, and then given up, within 2.5 intervals."""
        client = await self.join()
        gone = self.departed()
        asked = client.next(Ping)
        await asked
        self.assertIn("no sign of life for 2.5 s", await gone)
        self.assertEqual(self.state, "offline")

    async def test_one_that_asks_and_never_listens_is_given_up(self) -> None:
        """Answers that nobody takes do not pile up: such a device is read from no more, and then counts as gone."""
        client = await self.join()
        gone = self.departed()
        client.transport.pauseProducing()  # type: ignore[union-attr]
        pings = frame(Ping()) * 100_000
        for _ in range(40):
            client.write(pings)
        self.assertIn("no sign of life", await gone)
        client.transport.abortConnection()  # type: ignore[union-attr]

    async def test_the_interval_can_be_raised(self) -> None:
        """A device on a metered link asks for a longer one, and is told that it has it."""
        await self.join(Hello(heartbeat=300.0))
        self.assertEqual(self.welcome.heartbeat, 300.0)
        await self.join(Hello(heartbeat=0.5))
        self.assertEqual(self.welcome.heartbeat, 1.0)
