"""A small center on a real TLS port, that does what a test wants and keeps what it was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from iotcenter.model import Message
from iotcenter.wire.codec import decode
from iotcenter.wire.framing import FrameReader, frame
from iotcenter.wire.messages import Ack, Close, Enroll, Enrolled, Hello, Ping, Pong, Renew, Report, Welcome
from iotcenter.wire.names import ALPN_ENROLL, ALPN_LINK
from tests.device.authority import DAY, DEVICE, SmallAuthority, new_key, now
from tests.device.support import the_reactor

Answer = Callable[["Peer", Any], None]


class Peer(Protocol):
    """One connection of a device."""

    def __init__(self, center: SmallCenter) -> None:
        self.center = center
        self.received: list[Any] = []
        self.lost = False
        self._reader = FrameReader()

    def dataReceived(self, data: bytes) -> None:
        """Keep what came, and answer it."""
        for body in self._reader.receive(data):
            message = decode(body)
            self.received.append(message)
            self.center.received.append(message)
            self.center.answers.get(type(message), lambda *_: None)(self, message)
        self.center.changed()

    def connectionMade(self) -> None:
        """A device came."""
        self.center.peers.append(self)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """It is gone."""
        self.lost = True
        self.center.changed()

    def send(self, *messages: Message) -> None:
        """Tell the device."""
        transport: Any = self.transport
        transport.write(b"".join(map(frame, messages)))

    def close(self, code: str, reason: str) -> None:
        """Say why, and hang up."""
        self.send(Close(code, reason))  # type: ignore[arg-type]
        transport: Any = self.transport
        transport.loseConnection()

    def cut(self) -> None:
        """Hang up without a word."""
        transport: Any = self.transport
        transport.abortConnection()


@implementer(IOpenSSLServerConnectionCreator)
class SmallCenter:
    """Welcomes every device of its authority, keeps each reading once, and signs what it is asked to.

    ``answers`` says what each type of message leads to; a test that wants it otherwise changes it.
    """

    def __init__(self, authority: SmallAuthority | None = None) -> None:
        self.authority = authority or SmallAuthority()
        self.key = new_key()
        self.certificate = self.authority.server(self.key)
        self.peers: list[Peer] = []
        self.received: list[Any] = []
        self.readings: dict[tuple[int, int], Any] = {}
        self.copies: Counter[tuple[int, int]] = Counter()
        self.device_lifetime = 90 * DAY
        self.heartbeat = 10.0
        self.secret = b"s" * 16
        self.alpn = [ALPN_LINK, ALPN_ENROLL]
        self.answers: dict[type, Answer] = {
            Hello: self.welcome,
            Report: self.store,
            Renew: self.renew,
            Enroll: self.enroll,
            Ping: lambda peer, _: peer.send(Pong()),
        }
        self._waiting: list[tuple[Callable[[], Any], Deferred[Any]]] = []
        self._port: Any = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The port that it has, also while it does not listen."""
        return int(self._number)

    def listen(self, port: int = 0) -> None:
        """Open the door."""
        factory = TLSMemoryBIOFactory(self, False, Factory.forProtocol(lambda: Peer(self)))
        net = the_reactor()
        self._port = net.listenTCP(port, factory, interface="127.0.0.1")
        self._number = self._port.getHost().port

    async def stop(self) -> None:
        """Close the door, and throw out who is in."""
        port, self._port = self._port, None
        if port is not None:
            await port.stopListening()
        for peer in self.peers:
            if not peer.lost:
                peer.cut()
        await self.until(lambda: all(peer.lost for peer in self.peers))

    def serverConnectionForTLS(self, protocol: object) -> SSL.Connection:
        """See ``IOpenSSLServerConnectionCreator``."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.use_certificate(self.certificate)
        context.use_privatekey(self.key)
        context.add_extra_chain_cert(self.authority.root)
        store = context.get_cert_store()
        assert store is not None
        store.add_cert(X509.from_cryptography(self.authority.root))
        context.set_verify(SSL.VERIFY_PEER, lambda connection, certificate, error, depth, ok: bool(ok or error == 10))
        context.set_alpn_select_callback(lambda _, offered: self._choose(offered))
        return SSL.Connection(context, None)

    def _choose(self, offered: list[bytes]) -> Any:
        return next(filter(offered.__contains__, self.alpn), SSL.NO_OVERLAPPING_PROTOCOLS)

    def until(self, condition: Callable[[], Any]) -> Deferred[Any]:
        """Fires with what ``condition`` gives, as soon as that is true."""
        waiting: Deferred[Any] = Deferred()
        self._waiting.append((condition, waiting))
        self.changed()
        return waiting

    def changed(self) -> None:
        """Something happened: whoever waits may have it now."""
        for item in list(self._waiting):
            if item in self._waiting and (value := item[0]()):
                self._waiting.remove(item)
                item[1].callback(value)

    def last(self, kind: type) -> Any:
        """The newest message of one type, None where there is none."""
        return next((message for message in reversed(self.received) if isinstance(message, kind)), None)

    def welcome(self, peer: Peer, hello: Hello) -> None:
        """Take the device in; what it says later is another offer."""
        if sum(isinstance(message, Hello) for message in peer.received) == 1:
            peer.send(Welcome("kitchen-pi", DEVICE, now(), self.heartbeat, "test"))

    def store(self, peer: Peer, report: Report) -> None:
        """Keep the readings, and acknowledge them."""
        self.keep(report)
        peer.send(Ack(report.boot, report.sequence, len(report.readings)))

    def keep(self, report: Report) -> None:
        """Keep the readings, and say nothing."""
        for place, reading in enumerate(report.readings):
            key = (report.boot, report.sequence + place)
            self.readings.setdefault(key, reading)
            self.copies[key] += 1

    def renew(self, peer: Peer, renew: Renew) -> None:
        """Sign a new certificate."""
        peer.send(Renew(certificate=self.authority.device(renew.request, ends=self.device_lifetime)))

    def enroll(self, peer: Peer, enroll: Enroll) -> None:
        """Take a new device in, if it knows the secret."""
        if enroll.secret != self.secret:
            peer.close("refused", "the token was used already")
            return
        certificate = self.authority.device(enroll.request)
        root = self.authority.root.public_bytes(Encoding.DER)
        peer.send(Enrolled("kitchen-pi", DEVICE, certificate, root, b"k" * 32))
        peer.close("used", "enrolled")
