"""Peers that take their time, and too many of them: they go, and the others do not notice."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from iotcenter.gateway.factory import MAX_STRANGERS
from iotcenter.gateway.transport import GOODBYE_WITHIN, SIGN_IN_WITHIN
from iotcenter.identity.strangers import Strangers
from iotcenter.model import Reading
from iotcenter.transports.tls_connection import FIRST_MESSAGE_WITHIN, HANDSHAKE_WITHIN
from iotcenter.web.channel import HEADERS_WITHIN
from iotcenter.wire.messages import Ack, Report
from tests.daemons import ServerProcess
from tests.faults.links import device_context, join
from tests.faults.loris import OPENED
from tests.processes import Program
from tests.transports.support import Creator, TLSTestCase, client_context
from tests.web.wire import Wire

EACH = 125
"""How many slow peers of each of four kinds: 500 together."""

BANNERS = 500
"""How many more are slow to say which SSH they speak: more than there is room for."""

SLACK = 1.0
"""Seconds before its deadline from which on a connection counts as one that had all its time."""

LATE = 10.0
"""Seconds after its deadline in which a connection is gone: both ends share two cores with all else."""

P99 = 3.0
"""Seconds in which 99 of 100 honest requests are answered meanwhile: a tenth where nothing else runs, and a busy
machine may take longer. Who waited for the slow would wait for 10 and more."""


class LorisTests(TestCase):
    """A thousand peers that say a byte a second, from another process, against a real server."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Start the server."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-slow-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.server = ServerProcess(reactor, self.folder / "server")
        self.addCleanup(self.server.kill)
        await self.server.start()

    async def test_closed_by_their_deadlines(self) -> None:
        """Each is closed by its deadline, and the others wait no longer than ever: a device for its acknowledgements,
        browsers for a page, each over a connection of its own."""
        server = self.server
        ports = {"handshake": server.tls, "enrollment": server.tls, "http": server.http, "https": server.https}
        orders = [f"{kind}:{port}:{EACH}" for kind, port in ports.items()] + [f"ssh:{server.ssh}:{BANNERS}"]
        slow = Program(self.reactor, [sys.executable, "-m", "tests.faults.loris", *orders])
        self.addCleanup(slow.end)
        honest = await self.honest()
        await slow.until(OPENED)
        waits = {name: Deferred.fromCoroutine(self.measure(ask, slow)) for name, ask in honest.items()}
        self.assertEqual(await slow.outcome(), 0, slow.said)
        for name, measured in waits.items():
            times = sorted(await measured)
            self.assertGreater(len(times), 20, name)
            self.assertLess(times[len(times) * 99 // 100], P99, name)
        lasted = json.loads(slow.output.partition(OPENED)[2])
        self.assert_in_time(lasted)
        self.assert_no_more_than_may_be(lasted["ssh"])

    def assert_in_time(self, lasted: dict[str, list[float]]) -> None:
        """All were closed, none before a second had passed, none long after its deadline."""
        deadlines = {
            "handshake": HANDSHAKE_WITHIN,
            "enrollment": FIRST_MESSAGE_WITHIN,
            "http": HEADERS_WITHIN,
            "https": HEADERS_WITHIN,
        }
        for kind, deadline in deadlines.items():
            self.assertEqual(len(lasted[kind]), EACH)
            self.assertLess(max(lasted[kind]), deadline + LATE, kind)
            self.assertGreater(max(lasted[kind]), deadline - SLACK, kind)

    def assert_no_more_than_may_be(self, lasted: list[float]) -> None:
        """Of those at the SSH gateway only as many stayed as may be strangers; these had until their deadline, but for
        those who made way to the honest."""
        self.assertEqual(len(lasted), BANNERS)
        stayed = [seconds for seconds in lasted if seconds > SIGN_IN_WITHIN - SLACK]
        self.assertLessEqual(len(stayed), MAX_STRANGERS)
        self.assertGreater(len(stayed), MAX_STRANGERS - 20)
        self.assertLess(max(stayed), SIGN_IN_WITHIN + GOODBYE_WITHIN + LATE)

    async def honest(self) -> dict[str, Callable[[], Awaitable[object]]]:
        """What honest peers do, again and again: a device, a browser at either door, an SSH client."""
        await self.server.enroll("kitchen-pi", self.folder / "device")
        link = await join(self.reactor, self.server.tls, device_context(self.folder / "device"))
        sequence = 0

        async def report() -> None:
            nonlocal sequence
            sequence += 1
            acknowledged = link.next(Ack)
            link.send(Report(1, sequence, (Reading("t", 1.0),)))
            self.assertEqual((await acknowledged).sequence, sequence)

        plain = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.server.http)
        secured = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.server.https)
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        return {
            "device": report,
            "http": lambda: self.visit(plain),
            "https": lambda: self.visit(wrapClientTLS(Creator(context), secured)),
            "ssh": self.greet,
        }

    async def visit(self, endpoint: Any) -> None:
        """Look at a page, over a new connection."""
        wire: Wire = await connectProtocol(endpoint, Wire())
        wire.write(b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = await wire.lost
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer[:100])

    async def greet(self) -> None:
        """Hear which SSH the gateway speaks, over a new connection."""
        endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.server.ssh)
        wire: Wire = await connectProtocol(endpoint, Wire())
        await wire.until(b"SSH-2.0-IotCenter\r\n")
        await wire.close()

    async def measure(self, ask: Callable[[], Awaitable[object]], slow: Program) -> list[float]:
        """How many seconds each request took, as long as the slow ones are there."""
        times = []
        while not slow.ended.called:
            began = self.reactor.seconds()
            await ask()
            times.append(self.reactor.seconds() - began)
            await deferLater(self.reactor, 0.05)
        return times


class StrangersTests(TLSTestCase):
    """Connections that do not show who they are."""

    async def test_one_too_many(self) -> None:
        """Where there is no room for another stranger the oldest makes way, with one line in the log: who means it
        gets in, however many only hold on to their places."""
        self.service._connections.strangers = Strangers(most=100, each=3)
        key, certificate = await self.enroll("kitchen-pi")
        context = client_context(key, [certificate])
        waiting = [await self.connect(context) for _ in range(3)]
        lines = len(self.lines)
        self.clients.append(await join(self.reactor, self.service.port, context))
        await waiting[0].lost
        [line] = [line for line in self.lines[lines:] if "too many connections" in line]
        self.assertIn("127.0.0.1:", line)
        self.assertEqual(self.flushLoggedErrors(), [])
        for client in (*waiting[1:], self.clients[-1]):
            await client.close()
