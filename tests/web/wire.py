"""HTTP from the other side: a connection as bytes, and an answer taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure


@dataclass(frozen=True)
class Answer:
    """What the server said. Names of headers are in lower case."""

    status: int
    headers: dict[str, list[str]]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.body)

    def code(self) -> str:
        """The word for programs of what went wrong."""
        return str(self.json()["error"]["code"])

    def header(self, name: str) -> str:
        """The only header of that name; empty where there is none."""
        values = self.headers.get(name, [""])
        assert len(values) == 1, (name, values)
        return values[0]


class Wire(Protocol):
    """A connection to the server as bytes."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.lost: Deferred[bytes] = Deferred()
        self._waiting: list[tuple[bytes, Deferred[None]]] = []

    def dataReceived(self, data: bytes) -> None:
        """Keep what came."""
        self.received += data
        for wanted, waiter in tuple(self._waiting):
            if wanted in self.received:
                self._waiting.remove((wanted, waiter))
                waiter.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone: what came over it is all there is."""
        self.lost.callback(bytes(self.received))
        for _, waiter in self._waiting:
            waiter.errback(reason)

    def write(self, data: bytes) -> None:
        """Send bytes, whatever they are."""
        assert self.transport is not None
        self.transport.write(data)

    def until(self, wanted: bytes) -> Deferred[None]:
        """Fires when ``wanted`` has come; fails when the connection is lost before."""
        waiter: Deferred[None] = Deferred()
        if wanted in self.received:
            waiter.callback(None)
        else:
            self._waiting.append((wanted, waiter))
        return waiter

    async def close(self) -> None:
        """Go away."""
        if not self.lost.called:
            self.transport.abortConnection()  # type: ignore[union-attr]
            await self.lost


def parse(data: bytes) -> Answer:
    """The one answer in ``data``, whose connection was closed after it."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    if headers.get("transfer-encoding") == ["chunked"]:
        body = dechunk(body)
    return Answer(int(first.split()[1]), headers, body)


def dechunk(data: bytes) -> bytes:
    """The body in ``data``, as far as it came."""
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size or b"0", 16)
        body, data = body + data[:length], data[length + 2 :]
    return body
