"""The server's end of a device's link without a network, TLS and a house: bytes in, messages and lines of log out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, cast

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, formatEvent
from twisted.python.failure import Failure

from iotcenter.identity.certificates import Issuer, make_root, new_key, read_request
from iotcenter.interfaces import House, Refused
from iotcenter.transports.conversations import EnrollmentConversation, LinkConversation, RenewalConversation
from iotcenter.transports.tls_connection import Connection, Conversation
from iotcenter.transports.tls_factory import ConnectionFactory
from iotcenter.wire.codec import DamagedReport, decode
from iotcenter.wire.errors import WireError
from iotcenter.wire.framing import FrameReader
from iotcenter.wire.messages import Enrolled, Hello, Log, Report, Result

TAKEN = (Hello, Report, DamagedReport, Result, Log)
"""What a center takes from a device."""


class Device:
    """What the server knows of a device whose handshake is complete."""

    device = "0" * 32
    expires = 0.0


SECRET = b"the token's word"
"""The secret of the one token that is good."""

LIFETIME = 3600.0
"""How many seconds the certificates last that are made here."""

Begin = Callable[[Connection], Conversation]
"""What begins once a handshake is complete."""

PEER = cast(Any, Device())


def link(connection: Connection) -> Conversation:
    """A device's link."""
    return LinkConversation(connection, PEER)


def renewal(connection: Connection) -> Conversation:
    """What a device with an expired certificate may say."""
    return RenewalConversation(connection, PEER)


def enrollment(connection: Connection) -> Conversation:
    """What a device without a certificate may say."""
    return EnrollmentConversation(connection)


@cache
def issuer() -> Issuer:
    """An authority in memory."""
    key = new_key()
    return Issuer(key, make_root(key))


class Attachment:
    """See ``iotcenter.interfaces.Attachment``: keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.reasons: list[str] = []

    def received(self, message: object) -> None:
        """Keep what a device may send."""
        if not isinstance(message, TAKEN):
            raise WireError(f"a device does not send {type(message).__name__}")
        self.messages.append(message)

    def reports(self, reports: Sequence[Any], bodies: Sequence[bytes]) -> None:
        """Keep reports that came together."""
        for report in reports:
            self.received(report)

    def detached(self, reason: str) -> None:
        """Note why."""
        self.reasons.append(reason)


class OpenTLS:
    """A TLS connection that neither end has closed."""

    def get_shutdown(self) -> int:
        """See ``OpenSSL.SSL.Connection``."""
        return 0


class Transport(StringTransport):
    """A transport in memory."""

    aborted = False

    def getHandle(self) -> OpenTLS:
        """See ``ISSLTransport``."""
        return OpenTLS()

    def abortConnection(self) -> None:
        """See ``ITCPTransport``."""
        super().abortConnection()
        self.aborted = True

    def said(self) -> list[Any]:
        """The messages that were written."""
        return [decode(body) for body in FrameReader().receive(self.value())]


class Surroundings:
    """All that a connection needs: it is center, authority and accounts in one, of the simplest kind.

    While ``slow`` is set, accounts give their answers when ``answer`` is called.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.attachment = Attachment()
        self.slow = False
        self.watching: list[Callable[[str], None]] = []
        self._waiting: list[Deferred[None]] = []
        self._count = 0
        self._next: Begin = link
        log = Logger(namespace="test", observer=cast(ILogObserver, self._note))
        house = House(cast(Any, self.clock), self.clock, cast(Any, self), cast(Any, self), cast(Any, self), log)
        self.factory = ConnectionFactory(house, 10.0, self._begin)

    def connect(self, begin: Begin = link) -> tuple[Connection, Transport]:
        """Somebody's connection, whose handshake is complete and leads to what ``begin`` gives."""
        self._next = begin
        self._count += 1
        connection, transport = self.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", self._count)), Transport()
        connection.makeConnection(transport)
        connection.handshakeCompleted()
        return connection, transport

    def lose(self, connection: Connection) -> None:
        """The connection is gone."""
        connection.connectionLost(Failure(ConnectionError()))

    def answer(self) -> None:
        """Let accounts give the answers that wait."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    def attach(self, device: str, link: object, hello: object) -> Attachment:
        """See ``Center``."""
        return self.attachment

    def watch(self, device: str, barred: Callable[[str], None]) -> Callable[[], None]:
        """See ``Accounts``."""
        self.watching.append(barred)
        return lambda: self.watching.remove(barred) if barred in self.watching else None

    async def renew(self, device: str, request: bytes) -> bytes:
        """See ``Accounts``."""
        await self._think()
        return self._sign(request)

    async def enroll(self, secret: bytes, request: bytes, agent: str) -> Enrolled:
        """See ``Accounts``."""
        await self._think()
        if secret != SECRET:
            raise Refused("no such token")
        root = issuer().root.public_bytes(Encoding.DER)
        return Enrolled("kitchen-pi", Device.device, self._sign(request), root)

    async def _think(self) -> None:
        if self.slow:
            self._waiting.append(Deferred())
            await self._waiting[-1]

    def _sign(self, request: bytes) -> bytes:
        certificate = issuer().device(read_request(request), Device.device, self.clock.seconds(), LIFETIME)
        return certificate.public_bytes(Encoding.DER)

    def _begin(self, connection: Connection, tls: object) -> Conversation:
        return self._next(connection)

    def _note(self, event: LogEvent) -> None:
        if event["log_level"] is not LogLevel.debug:
            self.lines.append(formatEvent(event))
