"""Tunnels on the device: what the server asks for, and what the device's own settings make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from iotcenter.model import Message
from iotcenter.wire.messages import Tunnel, TunnelAction
from iotcenter.wire.names import ALPN_TUNNEL
from iotdevice.clock import Clock
from iotdevice.config import SshSettings, parse_address
from iotdevice.host_keys import MAX_KEYS, host_keys
from iotdevice.tls import Handshakes, endpoint
from iotdevice.tunnel_link import TunnelLink
from iotdevice.tunnels import Tunnels
from tests.closing import close_while_full, made
from tests.device.authority import now
from tests.device.server import Peer, SmallCenter
from tests.device.support import ReactorCase, RecordingLog, the_reactor
from tests.processes import free_port, until

ID = b"i" * 16


class Told:
    """A link to the server, which keeps what is sent."""

    writable = True

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, message: Message) -> None:
        """See ``Channel``."""
        self.sent.append(message)


class TunnelsTests(TestCase):
    """What is refused, with the reason that the user reads."""

    def setUp(self) -> None:
        """A link to a server that cannot be dialled."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.channel = Told()
        self.said: list[str] = []

    def tunnels(self, *ports: int, enabled: bool = True) -> Tunnels:
        """Those of a device with these settings."""
        nothing: Any = None
        closed = TCP4ClientEndpoint(self.reactor, "127.0.0.1", free_port())
        made = Tunnels(self.reactor, SshSettings(enabled, ports), lambda _: closed, lambda: nothing, nothing)
        made.connected(self.channel)
        self.addCleanup(made.stop)
        return made

    def refusal(self) -> str:
        """Why it was refused."""
        [message] = self.channel.sent
        self.assertEqual((message.id, message.action), (ID, TunnelAction.CLOSE))
        return str(message.reason)

    def test_disabled(self) -> None:
        """``enabled = false`` is the last word, whatever the server asks."""
        tunnels = self.tunnels(22, enabled=False)
        self.assertEqual(tunnels.ports, ())
        tunnels.asked(Tunnel(ID, TunnelAction.OPEN, 22))
        self.assertIn("[ssh] is not enabled", self.refusal())

    def test_forbidden_port(self) -> None:
        """A port that is not in the settings is refused, with those that are."""
        self.tunnels(22, 8081).asked(Tunnel(ID, TunnelAction.OPEN, 80))
        self.assertEqual(self.refusal(), "port 80 is not open on this device: its configuration allows 22, 8081")

    async def test_nothing_listens(self) -> None:
        """A port on which nothing answers."""
        port = free_port()
        self.tunnels(port).asked(Tunnel(ID, TunnelAction.OPEN, port))
        await until(self.reactor, lambda: self.channel.sent, "it was not refused")
        self.assertIn(f"nothing answers on port {port}", self.refusal())

    async def test_server_cannot_be_dialled(self) -> None:
        """The connection to the local port is ended again."""
        gone: list[bool] = []

        class Local(Protocol):
            def connectionLost(self, reason: object = None) -> None:
                gone.append(True)

        listening = self.reactor.listenTCP(0, Factory.forProtocol(Local), interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        port = listening.getHost().port
        self.tunnels(port).asked(Tunnel(ID, TunnelAction.OPEN, port))
        await until(self.reactor, lambda: self.channel.sent and gone, "it was not refused")
        self.assertIn("could not dial back", self.refusal())

    async def test_taken_back(self) -> None:
        """What the server does not want any more is given up without a word."""
        tunnels = self.tunnels(22)
        tunnels.asked(Tunnel(ID, TunnelAction.OPEN, 22))
        tunnels.asked(Tunnel(ID, TunnelAction.CLOSE))
        tunnels.asked(Tunnel(ID, TunnelAction.CLOSE))
        self.assertEqual(self.channel.sent, [])


class DialledTests(ReactorCase):
    """A tunnel on real TLS."""

    async def test_closed_while_full(self) -> None:
        """A server that closes a tunnel while the device has much for it gets that, and then the tunnel has ended."""
        net, center = the_reactor(), SmallCenter()
        center.alpn, center.answers[Tunnel] = [ALPN_TUNNEL], Peer.send
        center.listen()
        self.addCleanup(center.stop)
        local = net.listenTCP(0, Factory.forProtocol(Protocol), interface="127.0.0.1")
        self.addCleanup(local.stopListening)
        port = local.getHost().port
        links = made(self, TunnelLink)
        credentials, log = center.authority.credentials(), RecordingLog(Clock(net))
        tunnels = Tunnels(
            net,
            SshSettings(True, (port,)),
            lambda handshakes: endpoint(net, parse_address(center.address), handshakes),
            lambda: Handshakes.for_tunnel(credentials, now()),
            log,
        )
        self.addCleanup(tunnels.stop)
        tunnels.asked(Tunnel(ID, TunnelAction.OPEN, port))
        await until(net, lambda: log.lines, "no tunnel was opened")
        await close_while_full(net, links[0], center.peers[0])
        await until(net, lambda: "ended" in log.lines[-1], "the tunnel is still open")


class HostKeyTests(SynchronousTestCase):
    """What the device tells of its SSH server."""

    def test_files(self) -> None:
        """Keys come without their comments; what is no key, or could pass for another line, is left out."""
        folder = Path(self.mktemp())
        folder.mkdir()
        for name, content in (
            ("ssh_host_ed25519_key.pub", "ssh-ed25519 AAAAC3Nz root@kitchen-pi\n"),
            ("ssh_host_rsa_key.pub", "ssh-rsa AAAAB3Nz\n"),
            ("ssh_host_dsa_key.pub", "ssh-dss AAAAB3Nz\n"),
            ("ssh_host_bad_key.pub", "ssh-ed25519 AA*\n* ssh-ed25519 BBBB"),
            ("ssh_host_empty_key.pub", ""),
            ("ssh_host_ed25519_key", "PRIVATE"),
        ):
            (folder / name).write_text(content)
        self.assertEqual(host_keys(folder), ("ssh-ed25519 AAAAC3Nz", "ssh-rsa AAAAB3Nz"))
        self.assertEqual(host_keys(folder / "none"), ())

    def test_many(self) -> None:
        """No more than a greeting may name."""
        folder = Path(self.mktemp())
        folder.mkdir()
        for number in range(MAX_KEYS + 3):
            (folder / f"ssh_host_{number}_key.pub").write_text("ssh-ed25519 AAAA")
        self.assertEqual(len(host_keys(folder)), MAX_KEYS)
