"""Peers that say everything, one byte a second: run as a program, so that the server and its honest peers do not wait
for them.

``python -m tests.faults.loris KIND:PORT:COUNT...`` opens the connections and prints, when the server has closed all of
them, how many seconds each of a kind lasted: ``{"headers": [15.0, ...], ...}``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from OpenSSL import SSL
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import LoopingCall, react
from twisted.python.failure import Failure
from zope.interface import implementer

from iotcenter.wire.names import ALPN_ENROLL
from tests.transports.support import Creator, client_context

SOURCES = tuple(f"127.0.0.{number}" for number in range(2, 7))
"""Where they come from: addresses of loopback that are nobody else's. The first is that of all who need only one."""

OPENED = "all are open"
"""What the program prints when they are."""

HEADERS = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1000
ENROLL = b"\x00\x00\x01\x00" + b"\x94" * 1000


class Loris(Protocol):
    """Says ``text``. ``lasted`` fires with how long the server listened."""

    def __init__(self, reactor: Any, text: bytes) -> None:
        self.lasted: Deferred[float] = Deferred()
        self._reactor = reactor
        self._text = iter(text)
        self._began = 0.0
        self._drip = LoopingCall(self._say)

    def connectionMade(self) -> None:
        """TCP stands."""
        self.begin()

    def begin(self) -> None:
        """Say the first byte."""
        self._began = self._reactor.seconds()
        self._drip.start(1.0)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The server has heard enough."""
        if self._drip.running:
            self._drip.stop()
        self.lasted.callback(self._reactor.seconds() - self._began)

    def _say(self) -> None:
        transport: Any = self.transport
        transport.write(bytes([next(self._text)]))


@implementer(IHandshakeListener)
class SecuredLoris(Loris):
    """Is quick with its handshake, and slow after that."""

    def connectionMade(self) -> None:
        """TCP stands; the handshake is under way."""

    def handshakeCompleted(self) -> None:
        """See ``IHandshakeListener``."""
        self.begin()


def client_hello() -> bytes:
    """How a handshake begins."""
    connection = SSL.Connection(client_context(), None)
    connection.set_connect_state()
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        return connection.bio_read(4096)
    raise AssertionError("nobody was asked")


class Kind(NamedTuple):
    """What a loris is slow at: ``text``, after a handshake with ``protocol`` where there is one; they come from so many
    ``sources``, in equal parts."""

    text: bytes
    protocol: bytes = b""
    sources: int = 1


KINDS: dict[str, Callable[[], Kind]] = {
    "handshake": lambda: Kind(client_hello()),
    "enrollment": lambda: Kind(ENROLL, ALPN_ENROLL),
    "http": lambda: Kind(HEADERS),
    "https": lambda: Kind(HEADERS, b"http/1.1"),
    "ssh": lambda: Kind(b"SSH-2.0-" + b"a" * 200, sources=len(SOURCES)),
}


async def open_one(reactor: Any, kind: Kind, port: int, number: int) -> Loris:
    """A connection of that kind."""
    source = SOURCES[number % kind.sources]
    endpoint: Any = TCP4ClientEndpoint(reactor, "127.0.0.1", port, bindAddress=(source, 0))
    loris = Loris(reactor, kind.text)
    if kind.protocol:
        endpoint = wrapClientTLS(Creator(client_context(protocols=[kind.protocol])), endpoint)
        loris = SecuredLoris(reactor, kind.text)
    await connectProtocol(endpoint, loris)
    return loris


async def main(reactor: Any, *orders: str) -> None:
    """Open all that was ordered, tell when all of it is open, wait until it is closed, and print how long that took."""
    opened: dict[str, list[Loris]] = {}
    for order in orders:
        name, port, count = order.split(":")
        opened[name] = [await open_one(reactor, KINDS[name](), int(port), number) for number in range(int(count))]
    print(OPENED, flush=True)
    lasted = {name: await gatherResults([loris.lasted for loris in all_of]) for name, all_of in opened.items()}
    print(json.dumps(lasted))


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, *sys.argv[1:])))
