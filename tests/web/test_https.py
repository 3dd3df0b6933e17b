"""The HTTPS door: TLS, and what only it does."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.threads import deferToThread
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from iotcenter.center.subscribers import RemovedEvent
from iotcenter.interfaces import Credentials
from iotcenter.model import Role
from iotcenter.web import channel
from iotcenter.web.channel import BoundedChannel
from iotcenter.web.doors import Door
from iotcenter.web.https import web_contexts
from iotcenter.web.site import BoundedSite
from tests.closing import close_while_full, made
from tests.web.support import PASSWORD, WebTestCase
from tests.web.wire import Wire


@implementer(IOpenSSLClientConnectionCreator)
class Client:
    """Opens TLS with a context, and keeps the connection to ask it."""

    def __init__(self, context: SSL.Context) -> None:
        self.context = context
        self.connection: SSL.Connection | None = None

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """See ``IOpenSSLClientConnectionCreator``."""
        self.connection = SSL.Connection(self.context, None)
        return self.connection


def context(lowest: int = SSL.TLS1_2_VERSION, highest: int = SSL.TLS1_3_VERSION, alpn: bytes = b"") -> SSL.Context:
    """What a client offers."""
    made = SSL.Context(SSL.TLS_CLIENT_METHOD)
    made.set_min_proto_version(lowest)
    made.set_max_proto_version(highest)
    made.set_cipher_list(b"ALL:@SECLEVEL=0")
    if alpn:
        made.set_alpn_protos([alpn, b"http/1.1"])
    return made


def is_resumed(port: int, version: ssl.TLSVersion) -> bool:
    """Whether a client that comes again goes on with the TLS session that it had. It blocks."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.minimum_version = client.maximum_version = version
    session = None
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port)) as plain, client.wrap_socket(plain, session=session) as tls:
            tls.sendall(b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while tls.recv(65536):
                pass
            session, reused = tls.session, bool(tls.session_reused)
    return reused


class HTTPSTests(WebTestCase):
    """What browsers find at the HTTPS door."""

    door = Door.HTTPS

    def listen(self, site: BoundedSite) -> Any:
        """See ``WebTestCase``."""
        self.handshakes = web_contexts(self.parts.web_certificate)
        return super().listen(TLSMemoryBIOFactory(self.handshakes, False, site, self.reactor))  # type: ignore[arg-type]

    async def connect(self, client: Client | None = None) -> Wire:
        """See ``WebTestCase``; over TLS."""
        endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.port.getHost().port)
        wire: Wire = await connectProtocol(wrapClientTLS(client or Client(context()), endpoint), Wire())
        self.wires.append(wire)
        return wire

    async def visit(self, client: Client) -> Wire:
        """A connection on which a request was answered."""
        wire = await self.connect(client)
        wire.write(b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await wire.until(b"</html>")
        return wire

    async def test_versions(self) -> None:
        """TLS 1.2 and 1.3 are spoken, with HTTP/1.1 in them; nothing older is."""
        for version, name in ((SSL.TLS1_2_VERSION, "TLSv1.2"), (SSL.TLS1_3_VERSION, "TLSv1.3")):
            client = Client(context(version, version, alpn=b"h2"))
            await self.visit(client)
            assert client.connection is not None
            self.assertEqual(client.connection.get_protocol_version_name(), name)
            self.assertEqual(client.connection.get_alpn_proto_negotiated(), b"http/1.1")
        wire = await self.connect(Client(context(SSL.TLS1_VERSION, SSL.TLS1_1_VERSION)))
        wire.write(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(await wire.lost, b"")

    async def test_no_tickets(self) -> None:
        """A session is not resumed, in either version."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            reused = await deferToThread(is_resumed, self.port.getHost().port, version)
            self.assertFalse(reused)

    async def test_new_certificate(self) -> None:
        """A certificate that changes is shown from the next connection on, and no connection is lost by it."""
        first, second = Client(context()), Client(context())
        wire = await self.visit(first)
        renewed = self.credentials_for("other.example")
        self.patch(self.parts.web_certificate, "credentials", lambda: renewed)
        await self.visit(second)
        assert second.connection is not None
        shown = second.connection.get_peer_certificate(as_cryptography=True)
        self.assertEqual(shown, renewed.chain[0])
        wire.received.clear()
        wire.write(b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await wire.until(b"</html>")

    def credentials_for(self, name: str) -> Credentials:
        """Credentials for another name."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = self.authority.sign_web(key.public_key(), frozenset({x509.DNSName(name)}), 86400.0)
        return Credentials(key, (leaf, self.authority.root))

    async def test_closed_while_full(self) -> None:
        """A browser that closes TLS while an answer has much for it is gone once it has read that."""
        connections = made(self, BoundedChannel)
        wire = await self.watch(await self.user(Role.VIEWER))
        await close_while_full(self.reactor, connections[0], wire)

    async def test_handshake_deadline(self) -> None:
        """Who does not come to the end of the handshake is dropped, whatever they send."""
        self.patch(channel, "HANDSHAKE_WITHIN", 0.2)
        silent, dripping = await super().connect(), await super().connect()
        hello = bytes.fromhex("1603010200010001fc0303") + bytes(40)
        for byte in hello:
            if not dripping.lost.called:
                dripping.write(bytes([byte]))
                await self.store.devices.all()
        await silent.lost
        await dripping.lost
        self.assertEqual(len(self.site.connections), 0)

    async def test_plain_http(self) -> None:
        """Who speaks without TLS is dropped."""
        wire = await super().connect()
        wire.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        said = await wire.lost
        self.assertNotIn(b"HTTP", said)

    async def test_any_name(self) -> None:
        """Any host name is answered, such as one that a router's owner has made up."""
        answer = await self.ask("GET", "/sign-in", headers={"Host": "my-pi.dyndns.example"})
        self.assertEqual(answer.status, 200)

    async def test_cookie(self) -> None:
        """The session's cookie is for this host, this door and no script; it lets its owner in."""
        await self.parts.users.add("ann", Role.VIEWER, PASSWORD)
        origin = {"Origin": f"https://127.0.0.1:{self.port.getHost().port}"}
        answer = await self.ask("POST", "/sign-in", form={"name": "ann", "password": PASSWORD}, headers=origin)
        self.assertEqual(answer.status, 303, answer.body)
        cookie, *attributes = answer.header("set-cookie").split("; ")
        self.assertTrue(cookie.startswith("__Host-iotcenter_session="))
        self.assertEqual(
            {one.lower() for one in attributes} - {"max-age=7776000"}, {"path=/", "secure", "httponly", "samesite=lax"}
        )
        answer = await self.ask("GET", "/api/v1/devices", headers={"Cookie": cookie})
        self.assertEqual(answer.status, 200)
        plain = cookie.replace("__Host-", "")
        self.assertEqual((await self.ask("GET", "/api/v1/devices", headers={"Cookie": plain})).status, 401)

    async def test_other_scheme(self) -> None:
        """A page that came without TLS is another site's."""
        origin = {"Origin": f"http://127.0.0.1:{self.port.getHost().port}"}
        answer = await self.ask("POST", "/sign-in", form={"name": "a", "password": "b"}, headers=origin)
        self.assertEqual(answer.status, 403)

    async def test_slow_reader(self) -> None:
        """Over TLS too, an event stream that nobody reads holds little."""
        viewer = await self.user(Role.VIEWER)
        wire = await self.connect()
        wire.write(
            f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nCookie: {viewer.headers['Cookie']}\r\n\r\n".encode()
        )
        await wire.until(b"event: snapshot")
        wire.transport.pauseProducing()  # type: ignore[union-attr]
        for number in range(5_000):
            self.parts.streams._publish(self.event(number))
            if number % 50 == 0:
                await self.store.devices.all()
        [connection] = self.site.connections
        outer: Any = connection.transport  # type: ignore[attr-defined]
        inner = outer.transport
        held = len(inner.dataBuffer) + inner._tempDataLen + sum(map(len, outer._appSendBuffer))
        self.assertTrue(0 < held < 256 * 1024, held)

    def event(self, number: int) -> Any:
        """Something that happened."""
        return RemovedEvent(f"{number:01000d}")
