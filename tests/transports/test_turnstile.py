"""How many may be on their way in at the same time."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.transports import turnstile
from iotcenter.transports.turnstile import COUNTS_FOR, FEWEST, MOST, Turnstile
from iotcenter.wire.messages import Ping, Pong
from tests.faults.links import join
from tests.transports.support import Client, TLSTestCase, client_context


class TurnstileTests(SynchronousTestCase):
    """A door that is closed while many are on their way."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[str] = []
        self.turnstile = Turnstile(self.clock, lambda: self.told.append("close"), lambda: self.told.append("open"))

    def enter(self, first: int, end: int) -> None:
        """Some come in."""
        for number in range(first, end):
            self.turnstile.enter(number)

    def test_few(self) -> None:
        """While there are few, nothing is done."""
        for number in range(3 * MOST):
            self.turnstile.enter(number)
            self.turnstile.leave(number)
        self.enter(0, MOST - 1)
        self.assertEqual((self.told, self.clock.getDelayedCalls()), ([], []))

    def test_many(self) -> None:
        """Where there are many the door is closed, until few are left; who leaves twice counts once."""
        self.enter(0, MOST)
        self.assertEqual(self.told, ["close"])
        for number in range(MOST - FEWEST - 1):
            self.turnstile.leave(number)
            self.turnstile.leave(number)
        self.assertEqual(self.told, ["close"])
        self.turnstile.leave(MOST - 1)
        self.assertEqual((self.told, self.clock.getDelayedCalls()), (["close", "open"], []))
        self.enter(MOST, 2 * MOST)
        self.assertEqual(self.told, ["close", "open", "close"])

    def test_slow(self) -> None:
        """Those that take long count no more: they keep nobody out."""
        self.enter(0, FEWEST + 10)
        self.clock.advance(COUNTS_FOR / 2)
        self.enter(FEWEST + 10, MOST)
        self.clock.advance(COUNTS_FOR / 2)
        self.assertEqual((self.told, self.clock.getDelayedCalls()), (["close", "open"], []))

    def test_some_are_slow(self) -> None:
        """The door stays closed for as long as too many are left that are not."""
        self.enter(0, 10)
        self.clock.advance(COUNTS_FOR / 2)
        self.enter(10, MOST)
        self.clock.advance(COUNTS_FOR / 2)
        self.assertEqual(self.told, ["close"])
        self.clock.advance(COUNTS_FOR / 2)
        self.assertEqual((self.told, self.clock.getDelayedCalls()), (["close", "open"], []))


class DoorTests(TLSTestCase):
    """The port for devices."""

    async def test_door(self) -> None:
        """While many hold on to their places nobody else is taken in, and links that stand are served; then whoever
        waited comes in."""
        self.patch(turnstile, "MOST", 3)
        self.patch(turnstile, "FEWEST", 2)
        where = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.service.port)
        contexts = [client_context(key, [one]) for key, one in [await self.enroll("a"), await self.enroll("b")]]
        inside = await self.joined(contexts[0])
        silent: list[Any] = [await connectProtocol(where, Protocol()) for _ in range(3)]
        while self.service._port in self.reactor.getReaders():
            await self.ping(inside)
        coming = Deferred.fromCoroutine(self.joined(contexts[1]))
        await self.ping(inside)
        self.assertNoResult(coming)
        await coming
        for one in silent:
            one.transport.abortConnection()

    async def joined(self, context: SSL.Context) -> Client:
        """A device that is in."""
        client = await join(self.reactor, self.service.port, context)
        self.clients.append(client)
        return client

    async def ping(self, client: Client) -> None:
        """Ask over a link, and hear the answer."""
        answer = client.next(Pong)
        client.send(Ping())
        await answer
