"""Browsers that stop reading their event streams: they cost little, and the others do not notice."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from iotcenter.center.subscribers import RemovedEvent
from iotcenter.model import Reading, Role
from tests.web.support import Visitor, WebTestCase

READERS, STALLED = 60, 50
"""How many browsers watch, and how many of them stop to read."""

EVENTS, LENGTH = 1000, 4_000
"""How much happens meanwhile, in events of so many bytes."""

P99 = 1.0
"""Seconds in which 99 of 100 events are with those who read: a tenth where nothing else runs, and a busy machine may
take longer. Who waited for the others would wait for minutes."""

MOST_HELD = 256 * 1024
"""Bytes that may wait in the server for one reader."""

SNAPSHOT = b"event: snapshot\n"


class Reader(Protocol):
    """One event stream. ``seen`` has the time at which each event came, by its number; ``state`` what else came."""

    def __init__(self, visitor: Visitor, reactor: Any) -> None:
        self.seen: dict[int, float] = {}
        self.snapshots = 0
        self.state = b""
        self._visitor = visitor
        self._reactor = reactor
        self._rest = b""

    @property
    def tcp(self) -> Any:
        """Its connection."""
        return self.transport

    def connectionMade(self) -> None:
        """Ask for the stream."""
        head = "".join(f"{name}: {value}\r\n" for name, value in self._visitor.headers.items())
        self.tcp.write(f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())

    def stall(self) -> None:
        """Read no more. The system takes in little ahead, so that the server feels it."""
        self.tcp.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.tcp.pauseProducing()

    def go_on(self) -> None:
        """Read again, as fast as before."""
        self.tcp.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        self.tcp.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        """Note what came."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b'data: {"device":"0'):
                self.seen.setdefault(int(line[-12:-2]), self._reactor.seconds())
            elif line == SNAPSHOT.strip():
                self.snapshots += 1
            elif line.startswith(b"data: "):
                self.state += line

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over."""


class SlowReaderTests(WebTestCase):
    """Sixty streams, over real sockets."""

    async def subscribe(self, visitor: Visitor) -> Reader:
        """A stream that has begun."""
        endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.port.getHost().port)
        reader: Reader = await connectProtocol(endpoint, Reader(visitor, self.reactor))
        self.addCleanup(reader.tcp.abortConnection)
        while not reader.snapshots:
            await self.turn()
        return reader

    async def turn(self) -> None:
        """Let everybody else do something."""
        await self.store.devices.all()

    def most_held_for_one(self) -> int:
        """How many bytes wait in the server for one reader, at most."""
        connections: Any = self.site.connections
        waiting = max(stream._queued + len(stream._rest) for stream in self.parts.streams._streams)
        return waiting + max(len(one.transport.dataBuffer) + int(one.transport._tempDataLen) for one in connections)

    async def test_fifty_of_sixty_stop(self) -> None:
        """Ten go on to read, and have everything in time; the fifty cost a bounded buffer each. One that reads again
        has the newest state by a snapshot, and so has one that comes anew."""
        _, attachment = await self.device()
        visitors = [await self.user(Role.VIEWER, f"user{number}") for number in range(3)]
        readers = [await self.subscribe(visitors[number % 3]) for number in range(READERS)]
        stalled, reading = readers[:STALLED], readers[STALLED:]
        for reader in stalled:
            reader.stall()
        sent, most = await self.publish(reading)
        delays = sorted(reader.seen[number] - time for reader in reading for number, time in sent.items())
        self.assertEqual(len(delays), EVENTS * len(reading))
        self.assertLess(delays[len(delays) * 99 // 100], P99)
        self.assertTrue(0 < most <= MOST_HELD, most)
        await self.report(attachment, Reading("temperature", 42.125, self.reactor.seconds()))
        stalled[0].go_on()
        stalled[1].tcp.abortConnection()
        while stalled[0].snapshots < 2 or b"42.125" not in stalled[0].state:
            await self.turn()
        self.assertLess(len(stalled[0].seen), EVENTS)
        self.assertIn(b"42.125", (await self.subscribe(visitors[1])).state)

    async def publish(self, reading: list[Reader]) -> tuple[dict[int, float], int]:
        """Have much happen: when each event was told of, and the most that ever waited for one reader."""
        sent, most = {}, 0
        for number in range(EVENTS):
            sent[number] = self.reactor.seconds()
            self.center.subscribers.publish(RemovedEvent(f"{number:0{LENGTH}d}"))
            await self.turn()
            most = max(most, self.most_held_for_one())
        while any(len(reader.seen) < EVENTS for reader in reading):
            await self.turn()
        return sent, most
