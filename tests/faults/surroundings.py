"""The server's end of a device's link without a network, TLS and a house: bytes in, messages and lines of log out."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, formatEvent
from twisted.python.failure import Failure

from iotcenter.interfaces import House, Refused
from iotcenter.transports.conversations import LinkConversation
from iotcenter.transports.tls_connection import Connection, ConnectionFactory
from iotcenter.wire.codec import DamagedReport, decode
from iotcenter.wire.errors import WireError
from iotcenter.wire.framing import FrameReader
from iotcenter.wire.messages import Hello, Log, Report, Result

TAKEN = (Hello, Report, DamagedReport, Result, Log)
"""What a center takes from a device."""


class Device:
    """What the server knows of a device whose handshake is complete."""

    device = "0" * 32
    expires = 0.0


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

    def detached(self, reason: str) -> None:
        """Note why."""
        self.reasons.append(reason)


class Transport(StringTransport):
    """A transport in memory."""

    aborted = False

    def getHandle(self) -> None:
        """Nobody looks at it."""

    def abortConnection(self) -> None:
        """See ``ITCPTransport``."""
        super().abortConnection()
        self.aborted = True

    def said(self) -> list[Any]:
        """The messages that were written."""
        return [decode(body) for body in FrameReader().receive(self.value())]


class Surroundings:
    """All that a connection needs: it is center, authority and accounts in one, of the simplest kind."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.attachment = Attachment()
        log = Logger(namespace="test", observer=cast(ILogObserver, self._note))
        house = House(cast(Any, self.clock), cast(Any, self), cast(Any, self), cast(Any, self), log)
        self.factory = ConnectionFactory(house, 10.0, self._begin)

    def connect(self) -> tuple[Connection, Transport]:
        """A device's connection, whose handshake is complete."""
        connection, transport = self.factory.buildProtocol(None), Transport()
        assert connection is not None
        connection.makeConnection(transport)
        connection.handshakeCompleted()
        return connection, transport

    def lose(self, connection: Connection) -> None:
        """The connection is gone."""
        connection.connectionLost(Failure(ConnectionError()))

    def attach(self, device: str, link: object, hello: object) -> Attachment:
        """See ``Center``."""
        return self.attachment

    def watch(self, device: str, barred: object) -> Any:
        """See ``Accounts``."""
        return lambda: None

    def renew(self, device: str, request: bytes) -> Deferred[bytes]:
        """See ``Accounts``."""
        return fail(Refused("no"))

    def _begin(self, connection: Connection, tls: object) -> LinkConversation:
        return LinkConversation(connection, cast(Any, Device()))

    def _note(self, event: LogEvent) -> None:
        if event["log_level"] is not LogLevel.debug:
            self.lines.append(formatEvent(event))
