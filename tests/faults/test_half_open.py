"""Links whose other end vanished without a word: cables that were cut, and peers that say and hear nothing."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from iotcenter.wire.heartbeat import PATIENCE
from iotcenter.wire.messages import Hello, Ping, Pong, Welcome
from tests.daemons import AgentProcess, ServerProcess
from tests.faults import ECHO_APP, network
from tests.processes import Program, until
from tests.support import need
from tests.transports.support import TLSTestCase, client_context

HEARTBEAT = 1.5
DETECTED_WITHIN = HEARTBEAT * PATIENCE + 10
"""Seconds from the cut until it shows: a busy machine may take longer than the heartbeat needs. TCP alone would not
notice for minutes."""

IOTDEVICE = (sys.executable, "-c", "from iotdevice.cli import main; raise SystemExit(main())")


class CutTests(TestCase):
    """A real device and a real server, with a router between them."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Build the road, start the server, enroll the device over it, and start it."""
        from twisted.internet import reactor

        need(network.why_not())
        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-cut-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.road = network.Road()
        self.addCleanup(self.road.remove)
        self.road.build()
        self.server = await self.start_server()
        self.agent = await self.start_agent()

    async def start_server(self) -> ServerProcess:
        """The server, on its side."""
        config = self.folder / "config.toml"
        config.write_text(f"[tls]\nheartbeat = {HEARTBEAT}\n")
        flag, side = f"--config={config}", self.road.on_server
        server = ServerProcess(self.reactor, self.folder / "server", flag, host=network.SERVER, within=side)
        self.addCleanup(server.kill)
        await server.start()
        return server

    async def start_agent(self) -> AgentProcess:
        """The device, on its own; done when it is there."""
        token, directory = await self.server.token("far-away"), self.folder / "device"
        enrolling = Program(self.reactor, [*self.road.on_device, *IOTDEVICE, "enroll", token, f"--data={directory}"])
        self.assertEqual(await enrolling.outcome(), 0, enrolling.said)
        agent = AgentProcess(self.reactor, directory, ECHO_APP, within=self.road.on_device)
        self.addCleanup(agent.kill)
        agent.start()
        await self.becomes("online")
        return agent

    async def becomes(self, state: str) -> float:
        """Done when the device's state is that; the answer is after how many seconds."""
        began = self.reactor.seconds()

        async def is_it() -> bool:
            return bool((await self.server.ask("devices/far-away"))["state"] == state)

        await until(self.reactor, is_it, f"the device is not {state}")
        return float(self.reactor.seconds() - began)

    async def command(self, id: int) -> dict[str, Any]:
        """Where the command stands."""
        found: dict[str, Any] = await self.server.ask(f"devices/far-away/commands/{id}")
        return found

    async def test_cut(self) -> None:
        """Both ends notice; a command that was on its way waits, and arrives when the network is back; one link is
        left."""
        self.road.cut()
        began = self.reactor.seconds()
        noticed = Deferred.fromCoroutine(self.agent.program.until("no sign of life from the server"))
        order = {"name": "echo", "args": {"text": "hello"}, "lifetime": 60}
        sent = await self.server.ask("devices/far-away/commands", order)
        self.assertEqual(sent["state"], "sent")
        self.assertLess(await self.becomes("offline"), DETECTED_WITHIN)
        await noticed
        self.assertLess(self.reactor.seconds() - began, DETECTED_WITHIN)
        self.assertEqual((await self.command(sent["id"]))["state"], "queued")
        self.road.heal()

        async def ended() -> bool:
            return (await self.command(sent["id"]))["state"] not in ("queued", "sent", "received")

        await until(self.reactor, ended, "the command did not arrive")
        self.assertEqual((await self.command(sent["id"]))["result"], "hello")
        await self.becomes("online")
        self.assertEqual(network.connections(self.server.program.pid, self.server.tls), 1)


class TakeoverTests(TLSTestCase):
    """A device comes back while its old link still seems to stand."""

    async def test_no_zombie(self) -> None:
        """The old link is closed, though its other end neither reads nor answers; the new one stays."""
        key, certificate = await self.enroll("kitchen-pi")
        old = await self.connect(client_context(key, [certificate]))
        welcome = old.next(Welcome)
        old.send(Hello(boot=1))
        await welcome
        old.transport.pauseProducing()  # type: ignore[union-attr]
        new = await self.connect(client_context(key, [certificate]))
        welcome = new.next(Welcome)
        new.send(Hello(boot=2))
        await welcome
        await until(
            self.reactor, lambda: network.connections(os.getpid(), self.service.port) == 1, "there are two links"
        )
        pong = new.next(Pong)
        new.send(Ping())
        await pong
        self.assertEqual(self.center.devices.get("kitchen-pi").state, "online")
        old.transport.abortConnection()  # type: ignore[union-attr]
