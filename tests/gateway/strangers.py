"""The parts of a gateway without a network, for tests that send it bytes of every kind."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport

from iotcenter.center.tunnels import Opener
from iotcenter.gateway.numbers import Disconnect
from iotcenter.gateway.packets import number, string


class Pipe(StringTransport):
    """A TCP connection that goes nowhere."""

    aborted = False

    def setTcpNoDelay(self, on: bool) -> None:
        """See ``ITCPTransport``."""

    def abortConnection(self) -> None:
        """See ``ITCPTransport``."""
        self.aborted = True


def plain(payload: bytes) -> bytes:
    """A packet as it is before there are keys."""
    padding = 16 - (5 + len(payload)) % 8
    return struct.pack(">IB", 1 + len(payload) + padding, padding) + payload + bytes(padding)


def opening(host: bytes = b"kitchen-pi", port: int = 22, packet: int = 32768) -> bytes:
    """What asks for a channel to a port of ``host``, with packets that are no longer than ``packet``."""
    head = string(b"direct-tcpip") + number(0) + number(2**20) + number(packet)
    return head + string(host) + number(port) + string(b"127.0.0.1") + number(1)


class Quiet:
    """An encrypted connection: it keeps what is sent, and why it ended."""

    writable = True
    host = "192.0.2.1"
    sessionID = b"session"

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.ended = ""
        self.factory = self

    def disconnect(self, code: Disconnect, reason: str) -> None:
        """See ``Transport``."""
        self.ended = self.ended or reason

    def refuse(self, reason: str) -> None:
        """See ``Transport``."""
        self.ended = self.ended or reason

    def sendPacket(self, kind: int, payload: bytes) -> None:
        """See ``Transport``."""
        self.sent.append((kind, payload))

    def complain(self, host: str, what: str) -> None:
        """See ``GatewayFactory``."""


class NoTunnels:
    """Tunnels that never come about."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    async def open(self, name: str, port: int, opener: Opener, near: Any, ready: Callable[..., None]) -> None:
        """See ``Tunnels``."""
        self.asked.append((name, port))
        await Deferred()
