"""A server's TLS transport on a real port, and clients of every kind, honest ones and others."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Protocol
from twisted.logger import ILogObserver, LogEvent, Logger, formatEvent
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from iotcenter.center.center import Center
from iotcenter.identity.accounts import Accounts
from iotcenter.identity.authority import Authority
from iotcenter.identity.enrollment import Enrollments
from iotcenter.interfaces import House
from iotcenter.model import Message
from iotcenter.storage.store import Store
from iotcenter.transports.tls import TLSService, TLSSettings
from iotcenter.wire.codec import decode
from iotcenter.wire.framing import FrameReader, frame
from iotcenter.wire.messages import Close, Enroll, Enrolled
from iotcenter.wire.names import ALPN_ENROLL, ALPN_LINK
from iotcenter.wire.token import parse_token

E = TypeVar("E")
Key = ec.EllipticCurvePrivateKey


@implementer(IOpenSSLClientConnectionCreator)
class Creator:
    """Opens TLS as it is told to, and believes any server: these clients are here to be judged."""

    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """See ``IOpenSSLClientConnectionCreator``."""
        return SSL.Connection(self._context, None)


def client_context(
    key: Key | None = None,
    chain: Sequence[x509.Certificate] = (),
    protocols: Sequence[bytes] = (ALPN_LINK,),
    method: int = SSL.TLS1_3_VERSION,
) -> SSL.Context:
    """A client that shows ``chain``."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(method)
    if protocols:
        context.set_alpn_protos(list(protocols))
    if key is not None:
        context.use_certificate(chain[0])
        context.use_privatekey(key)
        for certificate in chain[1:]:
            context.add_extra_chain_cert(certificate)
    return context


class Client(Protocol):
    """One end of a link that a test holds in its hand."""

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.lost: Deferred[str] = Deferred()
        self._reader = FrameReader()
        self._waiting: list[tuple[type, Deferred[Any]]] = []

    def dataReceived(self, data: bytes) -> None:
        """Keep what came."""
        for body in self._reader.receive(data):
            message = decode(body)
            self.received.append(message)
            for kind, waiter in tuple(self._waiting):
                if isinstance(message, kind):
                    self._waiting.remove((kind, waiter))
                    waiter.callback(message)

    def connectionLost(self, reason: Failure = Failure(ConnectionError())) -> None:  # noqa: B008
        """The link is gone."""
        self.lost.callback(reason.getErrorMessage())
        for _, waiter in self._waiting:
            waiter.errback(reason)

    def send(self, message: Message) -> None:
        """Say something."""
        self.write(frame(message))

    def write(self, data: bytes) -> None:
        """Send bytes, whatever they are."""
        assert self.transport is not None
        self.transport.write(data)

    def next(self, kind: type[E]) -> Deferred[E]:
        """The next message of one kind; fails when the link is lost first."""
        waiter: Deferred[E] = Deferred()
        self._waiting.append((kind, waiter))
        return waiter

    async def close(self) -> None:
        """Go away, and wait until that is done."""
        assert self.transport is not None
        self.transport.loseConnection()
        await self.lost


class TLSTestCase(TestCase):
    """Has a TLS transport on a loopback port, before a real center with a real database."""

    settings = TLSSettings(listen="127.0.0.1:0")
    device_days = 90.0

    async def setUp(self) -> None:  # type: ignore[override]
        """Open everything."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.store = Store(self.directory, reactor)
        self.store.open()
        self.authority = Authority.open(self.directory, self.reactor.seconds, self.device_days)
        self.accounts = Accounts(self.store, self.authority, self.reactor.seconds)
        await self.accounts.load()
        self.enrollments = Enrollments(self.store, self.authority, self.reactor.seconds)
        self.center = Center(self.store, self.accounts, reactor)
        await self.center.load()
        self.center.start()
        self.lines: list[str] = []
        log = Logger(namespace="test", observer=cast(ILogObserver, self.logged))
        self.service = TLSService(
            self.settings, House(reactor, reactor, self.center, self.authority, self.accounts, log)
        )
        self.service.startService()
        self.clients: list[Client] = []

    def logged(self, event: LogEvent) -> None:
        """Keep a line of the transport's log."""
        self.lines.append(formatEvent(event))

    async def tearDown(self) -> None:  # type: ignore[override]
        """Close everything."""
        await self.service.stopService()
        for client in self.clients:
            await client.lost
        self.center.stop()
        await self.store.close()

    async def connect(self, context: SSL.Context) -> Client:
        """A client whose TCP connection stands, and whose handshake is under way."""
        endpoint = HostnameEndpoint(self.reactor, b"127.0.0.1", self.service.port)
        client: Client = await connectProtocol(wrapClientTLS(Creator(context), endpoint), Client())
        self.clients.append(client)
        return client

    async def enroll(self, name: str, key: Key | None = None) -> tuple[Key, x509.Certificate]:
        """Enroll a device the way that devices do, and give its key and certificate."""
        token = parse_token(await self.enrollments.issue(name, 60, "ann", ("127.0.0.1", self.service.port)))
        key = key or new_key()
        client = await self.connect(client_context(protocols=[ALPN_ENROLL]))
        enrolled = client.next(Enrolled)
        client.send(Enroll(token.secret, request_for(key), "test/1"))
        certificate = x509.load_der_x509_certificate((await enrolled).certificate)
        await client.lost
        return key, certificate

    async def refusal(self, context: SSL.Context, *messages: Message) -> Close:
        """The words with which the server turns a client away that says ``messages``."""
        client = await self.connect(context)
        closing = client.next(Close)
        for message in messages:
            client.send(message)
        close = await closing
        await client.lost
        return close


def new_key() -> Key:
    """A key such as devices make."""
    return ec.generate_private_key(ec.SECP256R1())


def request_for(key: Key) -> bytes:
    """A certificate request for ``key``."""
    return x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, SHA256()).public_bytes(Encoding.DER)


def random_secret() -> bytes:
    """A secret that no token has."""
    return secrets.token_bytes(16)
