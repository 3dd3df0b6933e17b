"""A device behind a real NAT: it has no inbound way, and ``ssh -J`` works all the same."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.daemons import AgentProcess, ServerProcess
from tests.faults import ECHO_APP, network
from tests.gateway.case import DEVICE, PASSWORD, write_config
from tests.gateway.openssh import Home, Sshd, missing
from tests.processes import Program, until
from tests.support import need

WORKS_AGAIN_WITHIN = 60.0
"""Seconds from the moment in which the NAT forgets all that it knew until the next session works."""

IOTDEVICE = (sys.executable, "-c", "from iotdevice.cli import main; raise SystemExit(main())")

KNOCK = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)"


class NatTests(TestCase):
    """Server, NAT and device are each in a namespace of their own."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Build it all, and enroll the device over it."""
        from twisted.internet import reactor

        need(missing())
        self.road = network.road_through_nat(self)
        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-nat-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.sshd = Sshd(reactor, self.folder / "sshd", within=self.road.on_device)
        self.addCleanup(self.sshd.stop)
        self.sshd.start()
        side = self.road.on_server
        self.server = ServerProcess(reactor, self.folder / "server", host=network.SERVER, within=side)
        self.addCleanup(self.server.kill)
        await self.server.start()
        self.home = Home(reactor, self.folder / "home")
        await self.server.ask("users", {"name": "ann", "role": "operator", "password": PASSWORD})
        await self.server.ask("users/ann/keys", {"key": self.home.public_key})
        await self.start_agent()
        write_config(self.home, self.server, self.sshd)

    async def start_agent(self) -> None:
        """The device joins through the NAT."""
        token, directory = await self.server.token(DEVICE), self.folder / "device"
        enrolling = Program(self.reactor, [*self.road.on_device, *IOTDEVICE, "enroll", token, f"--data={directory}"])
        self.assertEqual(await enrolling.outcome(), 0, enrolling.said)
        with (directory / "iotdevice.toml").open("a") as file:
            file.write(f"[ssh]\nports = [{self.sshd.port}]\nhost_keys = '{self.sshd.folder}'\n")
        agent = AgentProcess(self.reactor, directory, ECHO_APP, within=self.road.on_device)
        self.addCleanup(agent.kill)
        agent.start()

        async def online() -> bool:
            return bool((await self.server.ask(f"devices/{DEVICE}"))["state"] == "online")

        await until(self.reactor, online, "the device is not online")

    async def ssh(self, *words: str) -> tuple[int, str]:
        """Status and output of ``ssh``, run beside the server."""
        program = self.home.ssh("-o", "ConnectTimeout=10", *words, within=self.road.on_server)
        self.addCleanup(program.end)
        return await program.outcome(), program.said

    async def test_behind_nat(self) -> None:
        """Nobody can connect to the device; ``ssh -J`` leads to it. When the NAT has forgotten its mappings, the next
        session works again before long."""
        knock = Program(self.reactor, [*self.road.on_server, sys.executable, "-c", KNOCK, network.DEVICE, "22"])
        self.assertNotEqual(await knock.outcome(), 0)
        self.assertEqual(await self.ssh(DEVICE, "echo in"), (0, "in\n"))
        address = (await self.server.ask(f"devices/{DEVICE}"))["address"]
        self.assertEqual(address, network.ROUTER[0])
        self.road.forget()
        began = self.reactor.seconds()
        while (await self.ssh(DEVICE, "echo in"))[0] != 0:
            self.assertLess(self.reactor.seconds() - began, WORKS_AGAIN_WITHIN)
            await deferLater(self.reactor, 0.5)
        self.assertLess(self.reactor.seconds() - began, WORKS_AGAIN_WITHIN)
