"""A device that is revoked while it is at work: out at once, told why, and not let in again."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.trial.unittest import TestCase

from iotcenter.wire.messages import Close, CloseCode, Hello
from iotcenter.wire.udp.content import Kind
from iotcenter.wire.udp.records import RecordType
from tests.daemons import AgentProcess, ServerProcess
from tests.faults import ECHO_APP
from tests.faults.links import connect, device_context, join
from tests.processes import until
from tests.udp_device import UdpDevice

CLOSED_WITHIN = 1.0
"""Seconds from the request of whoever revokes until the device's link is closed: a tenth where nothing else runs, and a
busy machine may take longer."""


class RevocationTests(TestCase):
    """A real server, asked through its API, and a real agent."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Start the server and enroll two devices."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-revocation-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.server = ServerProcess(reactor, self.folder / "server")
        self.addCleanup(self.server.kill)
        await self.server.start()
        for name in ("agent", "quick"):
            await self.server.enroll(name, self.folder / name)

    async def revoke(self, name: str) -> None:
        """Bar a device, by the API."""
        answer = await self.server.ask(f"devices/{name}/revoke", {})
        self.assertEqual((answer["state"], answer["revoked"]), ("offline", True))

    async def test_link_closed_at_once(self) -> None:
        """The live link is closed at once, and the next connection is refused in words."""
        context = device_context(self.folder / "quick")
        client = await join(self.reactor, self.server.tls, context)
        closing = client.next(Close)
        began = self.reactor.seconds()
        await self.revoke("quick")
        close = await closing
        await client.lost
        self.assertLess(self.reactor.seconds() - began, CLOSED_WITHIN)
        self.assertEqual(close.code, CloseCode.REVOKED)
        for _ in range(3):
            again = await connect(self.reactor, self.server.tls, context)
            closing = again.next(Close)
            again.send(Hello(boot=1))
            close = await closing
            self.assertEqual(close.code, CloseCode.REVOKED)
            self.assertIn("revoked", close.reason)
            await again.lost
        self.assertIn("refused: the device was revoked", self.log())

    async def test_udp_session_cut_at_once(self) -> None:
        """A device over UDP is told at once; its next HELLO gets no answer."""
        added = await self.server.ask("devices", {"name": "chip", "transport": "udp"})
        device = UdpDevice(self.reactor, ("127.0.0.1", self.server.udp), added["id"], added["key"])
        self.addCleanup(device.close)
        device.open()
        await device.report(1)
        closing = device.arrival(Kind.CLOSE)
        began = self.reactor.seconds()
        await self.revoke("chip")
        self.assertIn(b"revoked", (await closing).body)
        self.assertLess(self.reactor.seconds() - began, CLOSED_WITHIN)
        received, sent = len(device.received), len(device.sent)
        device.session.connect(self.reactor.seconds())
        device.flush()
        self.assertEqual([datagram[0] for datagram in device.sent[sent:]], [RecordType.HELLO])
        for _ in range(3):  # by then an answer would have come
            self.assertEqual((await self.server.devices())["chip"]["state"], "offline")
        self.assertEqual(len(device.received), received)

    async def test_agent_says_why(self) -> None:
        """The agent tells its owner in words, and what to do; started again, it is refused and says it again."""
        agent = AgentProcess(self.reactor, self.folder / "agent", ECHO_APP)
        self.addCleanup(agent.kill)
        agent.start()
        await until(self.reactor, self.online, "the agent did not come")
        await self.revoke("agent")
        await self.assert_told(agent)
        agent.start()
        await self.assert_told(agent)
        self.assertEqual((await self.server.devices())["agent"]["state"], "offline")

    async def assert_told(self, agent: AgentProcess) -> None:
        """The agent says what happened, and is ended."""
        await agent.program.until("the device was revoked")
        await agent.program.until("iotdevice enroll TOKEN --replace")
        await agent.kill()

    async def online(self) -> bool:
        """Whether the agent is there."""
        return bool((await self.server.devices())["agent"]["state"] == "online")

    def log(self) -> str:
        """What the server logged."""
        return (self.folder / "server/log/server.log").read_text()
