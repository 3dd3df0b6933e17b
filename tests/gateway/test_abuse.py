"""What strangers do to the gateway: many of them, slow ones, and bytes of every kind."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.tunnels import Opener
from iotcenter.gateway import factory as factories
from iotcenter.gateway import transport as transports
from iotcenter.gateway.channels import MOST_CHANNELS, Channels
from iotcenter.gateway.factory import GatewayFactory
from iotcenter.gateway.host_key import host_key
from iotcenter.gateway.numbers import Message
from iotcenter.gateway.packets import Malformed, number, string
from iotcenter.gateway.userauth import Guest
from iotcenter.gateway.windows import Windows
from tests.gateway.case import DEVICE, GatewayCase
from tests.gateway.strangers import NoTunnels, Pipe, Quiet, opening, plain
from tests.processes import resident, until

QUIETLY = settings(max_examples=300)
"""Slowness is the machine's, which does other things too."""

TRIES = 1000
AT_ONCE = 25

MOST_GROWTH = 30 * 1024 * 1024
"""Bytes by which the server may grow over a thousand tries to sign in: a leak of 30 kB for each would be far more."""


class FloodTests(GatewayCase):
    """A real server, and a thousand who are refused."""

    async def test_failed_sign_ins(self) -> None:
        """A thousand tries with a key that is not on file cost no memory that is kept, and lock nobody out."""
        stranger = self.folder / "stranger"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
        options = "-o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=no"
        one = f"ssh -F none {options} -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -i {stranger}"
        one += f" -p {self.server.ssh} -W {DEVICE}:22 ann@127.0.0.1 </dev/null"
        await self.run_ssh(DEVICE, "true")
        before = resident(self.server.program.pid)
        flood = (
            f"seq {TRIES} | xargs -P {AT_ONCE} -I% sh -c '{one}; true' 2>&1 | grep -c 'Permission denied (publickey)'"
        )
        flooding = deferToThread(subprocess.run, flood, shell=True, capture_output=True, text=True, timeout=100)
        self.assertEqual(await self.run_ssh(DEVICE, "echo meanwhile"), "meanwhile\n")
        done: Any = await flooding
        self.assertEqual(int(done.stdout), TRIES, done.stderr)
        self.assertLess(resident(self.server.program.pid) - before, MOST_GROWTH)
        self.assertEqual(await self.run_ssh(DEVICE, "echo in"), "in\n")

    async def test_strangers_make_way(self) -> None:
        """More connections than there is room for, which say nothing: the oldest make way for those who mean it."""
        with contextlib.ExitStack() as stack:
            for _ in range(factories.MAX_STRANGERS_EACH + 50):
                stack.enter_context(socket.create_connection(("127.0.0.1", self.server.ssh)))
            self.assertEqual(await self.run_ssh(DEVICE, "echo in"), "in\n")

            def open_now() -> int:
                return len(list(Path(f"/proc/{self.server.program.pid}/fd").iterdir()))

            await until(self.reactor, lambda: open_now() < factories.MAX_STRANGERS_EACH + 50, "nobody made way")
        self.assertIn("it made way: too many connections have not signed in", self.log())


class StrangerCase(SynchronousTestCase):
    """Has a gateway without a network."""

    def setUp(self) -> None:
        """Make it; nobody has a key here."""
        self.clock = Clock()
        folder = Path(mkdtemp(prefix="iotcenter-stranger-", dir=self.mktemp_root()))
        nothing: Any = None
        self.factory = GatewayFactory(self.clock, host_key(folder), nothing, nothing)

    def mktemp_root(self) -> str:
        """A folder of the test's own."""
        path = Path(self.mktemp())
        path.mkdir(parents=True)
        return str(path)

    def connect(self) -> tuple[Any, Pipe]:
        """A stranger."""
        transport, pipe = self.factory.buildProtocol(None), Pipe()
        transport.makeConnection(pipe)
        return transport, pipe

    def lose(self, transport: Any) -> None:
        """They are gone; nothing is left of them."""
        transport.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(self.factory.strangers), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class StrangerTests(StrangerCase):
    """Deadlines and hostile bytes, before anybody has signed in."""

    def test_deadline(self) -> None:
        """Who has not signed in after 20 seconds is told so, and cut off a second later; a byte now and then buys
        nothing."""
        transport, pipe = self.connect()
        for _ in range(int(transports.SIGN_IN_WITHIN) - 1):
            transport.dataReceived(b"S")
            self.clock.advance(1)
        self.assertFalse(pipe.disconnecting)
        self.clock.advance(1)
        self.assertTrue(pipe.disconnecting)
        self.assertIn(b"nobody signed in within 20 s", pipe.value())
        self.clock.advance(transports.GOODBYE_WITHIN)
        self.assertTrue(pipe.aborted)
        self.lose(transport)

    def test_services_need_keys(self) -> None:
        """Nobody signs in, or asks for anything, over a connection that is not encrypted."""
        for kind, payload in (
            (Message.SERVICE_REQUEST, string(b"ssh-userauth")),
            (Message.USERAUTH_REQUEST, string(b"ann") + string(b"ssh-connection") + string(b"none")),
            (Message.CHANNEL_OPEN, string(b"session") + number(0) * 3),
            (21, b""),
        ):
            with self.subTest(kind):
                transport, pipe = self.connect()
                transport.dataReceived(b"SSH-2.0-test\r\n" + plain(bytes([kind]) + payload))
                self.assertTrue(pipe.disconnecting)
                self.assertIsNone(transport.guest)
                self.lose(transport)

    def test_long_packets(self) -> None:
        """A packet that claims to be longer than any stranger's is not waited for."""
        transport, pipe = self.connect()
        transport.dataReceived(b"SSH-2.0-test\r\n" + struct.pack(">IB", 900_000, 4))
        transport.dataReceived(bytes(transports.STRANGER_BUFFER))
        self.assertTrue(pipe.disconnecting)
        self.lose(transport)

    @QUIETLY
    @given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=60)), max_size=6), st.booleans())
    def test_hostile_bytes(self, packets: list[tuple[int, bytes]], in_packets: bool) -> None:
        """Whatever comes, in packets or not, no exception gets out and nobody gets in."""
        transport, _ = self.connect()
        transport.dataReceived(b"SSH-2.0-test\r\n")
        for kind, payload in packets:
            transport.dataReceived(plain(bytes([kind]) + payload) if in_packets else bytes([kind]) + payload)
        self.assertIsNone(transport.guest)
        self.lose(transport)


class GuestTests(SynchronousTestCase):
    """What somebody who has signed in may say."""

    def setUp(self) -> None:
        """A guest."""
        self.tunnels = NoTunnels()
        self.channels = Channels(Guest("ann", b"", "UTC"), cast(Any, self.tunnels), Opener("ann", "test"), Windows())
        self.transport = Quiet()
        self.channels.transport = cast(Any, self.transport)
        self.addCleanup(self.channels.serviceStopped)

    def open(self, host: bytes = b"kitchen-pi", port: int = 22, packet: int = 32768) -> None:
        """Ask for a channel."""
        self.channels.packetReceived(Message.CHANNEL_OPEN, opening(host, port, packet))

    def refusals(self) -> Iterator[bytes]:
        """What was refused."""
        return (payload for kind, payload in self.transport.sent if kind == Message.CHANNEL_OPEN_FAILURE)

    def test_as_many_as_may_be(self) -> None:
        """More channels than one connection may have are refused, those that are being opened included."""
        for _ in range(MOST_CHANNELS + 3):
            self.open()
        self.assertEqual(len(self.tunnels.asked), MOST_CHANNELS)
        self.assertEqual(len(list(self.refusals())), 3)

    def test_tiny_packets(self) -> None:
        """A client that wants a packet for each byte is refused: it would cost the others their server."""
        self.open(packet=1)
        self.assertEqual(self.tunnels.asked, [])

    @QUIETLY
    @given(st.binary(max_size=80), st.integers(0, 2**32 - 1))
    def test_hosts(self, host: bytes, port: int) -> None:
        """Nothing that is no device's name is even asked for."""
        self.setUp()
        self.open(host, port)
        for name, number_of_port in self.tunnels.asked:
            self.assertRegex(name, r"\A[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z")
            self.assertTrue(1 <= number_of_port <= 65535)
        self.channels.serviceStopped()

    @QUIETLY
    @given(st.lists(st.tuples(st.integers(80, 101), st.binary(max_size=60)), max_size=6))
    def test_hostile_packets(self, packets: list[tuple[int, bytes]]) -> None:
        """Whatever a guest says is done, refused, or called malformed."""
        for kind, payload in packets:
            with contextlib.suppress(Malformed):
                self.channels.packetReceived(kind, payload)
