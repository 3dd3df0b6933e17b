"""The other end closes TLS while we have more to send than it takes."""

from __future__ import annotations

from typing import Any, TypeVar

from OpenSSL import SSL
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import TestCase

from tests.processes import until

P = TypeVar("P", bound=Protocol)

TOO_MUCH = 32 * 1024 * 1024
"""Bytes that no kernel keeps for a peer that does not read: what is left waits in the transport."""


def made(case: TestCase, kind: type[P]) -> list[P]:
    """Those of a kind of connection that are made from now on."""
    connections: list[P] = []
    connected = kind.connectionMade

    def note(connection: P) -> None:
        connections.append(connection)
        connected(connection)

    case.patch(kind, "connectionMade", note)
    return connections


async def close_while_full(reactor: Any, full: Any, peer: Any) -> None:
    """Fill ``full``, whose ``peer`` does not read; have ``peer`` close TLS, and read on when that was seen: then
    ``full`` must be gone. Both are connections in this process; what comes to ``peer`` goes nowhere."""
    peer.dataReceived = lambda data: None
    peer.transport.pauseProducing()
    full.transport.write(bytes(TOO_MUCH))
    peer.transport.loseConnection()
    tls: SSL.Connection = full.transport.getHandle()
    await until(reactor, lambda: tls.get_shutdown() & SSL.RECEIVED_SHUTDOWN, "nobody saw that TLS was closed")
    peer.transport.resumeProducing()
    await until(reactor, lambda: not full.transport.connected, "the connection is kept")
