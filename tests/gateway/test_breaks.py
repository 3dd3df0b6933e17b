"""Sessions that are broken off: the device goes, the server goes, the user may no longer come in."""

from __future__ import annotations

from signal import SIGTERM
from typing import Any
from urllib.parse import quote

from twisted.internet.defer import gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

from tests.gateway.case import DEVICE, GatewayCase
from tests.gateway.test_sessions import Hearing
from tests.processes import Program, until

CUT_WITHIN = 1.0
"""Seconds from the request of whoever revokes a device until the server has cut its streams: a tenth where nothing else
runs, and a busy machine may take longer."""

ENDED_WITHIN = 4.0
"""Seconds from the request of whoever takes a right away until the session that it gave has ended: one where nothing
else runs."""


class BreakTests(GatewayCase):
    """A session that cannot go on ends, and the next one works when the cause is gone."""

    async def session(self) -> Program:
        """One that goes on until it is broken off."""
        program = self.ssh(DEVICE, "echo started; sleep 300")
        await program.until("started")
        return program

    async def ends(self, program: Program, within: float) -> None:
        """The session is over in time, and not in good order."""
        began = self.reactor.seconds()
        await until(self.reactor, lambda: program.ended.called, "the session goes on", within)
        self.assertEqual(await program.outcome(), 255, program.said)
        self.assertLess(self.reactor.seconds() - began, within)

    async def joined(self) -> bool:
        """Whether somebody is connected to the device by an open port."""
        return any(port["connections"] for port in await self.server.ask("open-ports"))

    async def test_device_goes(self) -> None:
        """A device that goes offline takes its sessions along; then ssh is told since when it is away, and when it is
        back all is well."""
        session = await self.session()
        await self.agent.kill()
        await self.ends(session, 5)
        refusal = await self.refusal(DEVICE, "true")
        self.assertRegex(refusal, rf"open failed: connect failed: {DEVICE} is offline since \d\d:\d\d\r?\n")
        self.agent.start()
        await self.online()
        self.assertEqual(await self.run_ssh(DEVICE, "echo back"), "back\n")

    async def test_server_restarts(self) -> None:
        """A server that stops ends the sessions in good order; started again, it has the same host key, and ssh works
        as soon as the device is back."""
        session = await self.session()
        await self.server.program.end(SIGTERM)
        await self.ends(session, 5)
        self.assertNotIn("Traceback", self.log())
        await self.server.start()
        await self.online()
        self.assertEqual(await self.run_ssh(DEVICE, "echo back"), "back\n")

    async def test_server_is_killed(self) -> None:
        """After kill -9 nothing is left over on the device: the next session works."""
        session = await self.session()
        await self.server.kill()
        await self.ends(session, 5)
        await self.agent.program.until("ended")
        await self.server.start()
        await self.online()
        self.assertEqual(await self.run_ssh(DEVICE, "echo back"), "back\n")

    async def test_key_is_removed(self) -> None:
        """The sessions of a key that is removed end within a second, and it lets nobody in any more."""
        session = await self.session()
        [key] = await self.server.ask("users/ann/keys")
        self.assertIsNotNone(key["last_used"])
        await self.server.ask(f"users/ann/keys?fingerprint={quote(key['fingerprint'], safe='')}", method="DELETE")
        await self.ends(session, ENDED_WITHIN)
        self.assertIn("Permission denied (publickey)", await self.refusal(DEVICE, "true"))

    async def test_role_is_taken(self) -> None:
        """Who is made a viewer is out within a second, and is told why they cannot come in again."""
        session = await self.session()
        await self.server.ask("users/ann", {"role": "viewer"}, "PATCH")
        await self.ends(session, ENDED_WITHIN)
        self.assertIn("ann has the role viewer; SSH takes the role operator", await self.refusal(DEVICE, "true"))

    async def test_user_is_removed(self) -> None:
        """A user who is removed is out within a second."""
        session = await self.session()
        await self.server.ask("users/ann", method="DELETE")
        await self.ends(session, ENDED_WITHIN)
        self.assertIn("Permission denied (publickey)", await self.refusal(DEVICE, "true"))

    async def test_another_role_changes_nothing(self) -> None:
        """Who is made an admin goes on as before."""
        session = await self.session()
        await self.server.ask("users/ann", {"role": "admin"}, "PATCH")
        self.assertEqual(await self.run_ssh(DEVICE, "echo still there"), "still there\n")
        self.assertFalse(session.ended.called)

    async def test_device_is_revoked(self) -> None:
        """The sessions to a device that is revoked, and what goes through ports to it, are cut at once."""
        session = await self.session()
        port = await self.server.ask(f"devices/{DEVICE}/open-ports", {"port": self.echo})
        endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", port["listen_port"])
        client: Hearing = await connectProtocol(endpoint, Hearing())
        await until(self.reactor, self.joined, "the device did not dial back")
        began = self.reactor.seconds()
        ends: list[Any] = [client.lost, session.ended]
        took = gatherResults([end.addCallback(lambda _: self.reactor.seconds() - began) for end in ends])
        await self.server.ask(f"devices/{DEVICE}/revoke", {})
        by_port, by_ssh = await took
        print(f"revoked: the stream ended after {1000 * by_port:.0f} ms, ssh itself after {1000 * by_ssh:.0f} ms")
        self.assertLess(by_port, CUT_WITHIN)
        self.assertLess(by_ssh, ENDED_WITHIN)
        self.assertIn(f"{DEVICE} was revoked", await self.refusal(DEVICE, "true"))
