"""One link after the other, and the pauses between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from iotcenter.wire.framing import frame
from iotcenter.wire.messages import Close, CloseCode, Command, Hello, Log, Ping, Pong, Renew
from iotdevice.clock import Clock
from iotdevice.config import parse_address
from iotdevice.connection import Connection, Talk, over_tls
from iotdevice.credentials import Credentials, load_credentials
from iotdevice.link import Link
from iotdevice.network import LOOK_EVERY, NO_NETWORK, network_state
from iotdevice.pauses import GOOD_LINK, LONGEST, Pauses
from iotdevice.renewal import Renewal
from iotdevice.tls import STRANGER, Handshakes, endpoint
from tests.closing import close_while_full, made
from tests.device.authority import DAY, SmallAuthority
from tests.device.server import SmallCenter
from tests.device.support import Bench, Case, ReactorCase, RecordingLog, the_reactor


class PausesTests(Case):
    """How long to wait."""

    @given(st.lists(st.floats(0, 1000), max_size=40), st.floats(0, 0.999))
    def test_bounds(self, worked: list[float], random: float) -> None:
        """Whatever happens, a pause is between one second and two minutes."""
        pauses = Pauses(lambda: random)
        for seconds in worked:
            self.assertTrue(1.0 <= pauses.next(seconds) <= LONGEST)
        self.assertTrue(LONGEST / 2 <= pauses.longest() <= LONGEST)

    def test_grow(self) -> None:
        """Pauses grow while tries fail, and begin anew after a link that worked for a while."""
        pauses = Pauses(lambda: 1.0)
        self.assertEqual([pauses.next(0.0) for _ in range(8)], [2, 4, 8, 16, 32, 64, 120, 120])
        self.assertEqual(pauses.next(GOOD_LINK - 1), 120)
        self.assertEqual(pauses.next(GOOD_LINK), 2)

    def test_jitter(self) -> None:
        """Devices that lost the same server at the same moment do not come back at the same moment."""
        self.assertEqual([Pauses(lambda r=r: r).next(0.0) for r in (0.0, 0.5)], [1.0, 1.5])  # type: ignore[misc]


class NetworkTests(Case):
    """Whether the network changed."""

    def test_state(self) -> None:
        """The state is the same while nothing happens, and knows nothing of the loopback."""
        self.assertEqual(network_state(), network_state())
        self.assertNotIn("lo", {name for name, _ in network_state()})


@implementer(IStreamClientEndpoint)
class NoWay:
    """A server that cannot be reached."""

    def __init__(self) -> None:
        self.tries = 0

    def connect(self, factory: object) -> Deferred[Any]:
        """Fail."""
        self.tries += 1
        return fail(ConnectionRefusedError())


class RetryTests(Case):
    """The pauses between tries, on a clock that the test moves."""

    def setUp(self) -> None:
        self.bench = Bench()
        self.server = NoWay()
        self.network: frozenset[Any] = frozenset({"cable"})
        renewal = Renewal(self.folder(), SmallAuthority().credentials(), self.bench.clock, self.bench.log)
        self.connection = Connection(
            "center:9998",
            over_tls(lambda _: self.server, self.bench.clock),
            self.bench.clock,
            self.bench.log,
            renewal,
            Talk(Hello, [], {}),
            Pauses(lambda: 1.0),
            lambda: self.network,
        )
        self.connection.start()

    def wait(self, seconds: float) -> None:
        """Time goes on, second by second."""
        self.bench.steady.pump([0.5] * int(2 * seconds))

    def test_growing(self) -> None:
        """The tries come ever more slowly."""
        counts = []
        for seconds in (2, 4, 8, 16):
            counts.append(self.server.tries)
            self.wait(seconds)
        self.assertEqual(counts, [1, 2, 3, 4])

    def test_log(self) -> None:
        """The log says once why the server is not reached, not each time."""
        self.wait(300)
        line = "warning: The link to center:9998: the server cannot be reached: Connection was refused by other side"
        self.assertEqual(self.bench.log.lines, [line])

    def test_own_fault(self) -> None:
        """A fault of the agent's own is said in the log, and costs one try and no more."""

        def fails(_: Renewal) -> bool:
            raise RuntimeError("a mistake")

        patch = self.patch(Renewal, "expired", property(fails))
        self.wait(3)
        patch.restore()
        self.assertEqual(self.server.tries, 1)
        self.assertIn("the agent itself failed: RuntimeError: a mistake", self.bench.log.lines[-1])
        self.wait(8)
        self.assertGreater(self.server.tries, 1)

    def test_network_is_back(self) -> None:
        """A pause is cut short when the network comes back, not when it goes."""
        self.wait(64)
        tries = self.server.tries
        self.network = NO_NETWORK
        self.wait(LOOK_EVERY * 2)
        self.assertEqual(self.server.tries, tries)
        self.network = frozenset({"wlan"})
        self.wait(LOOK_EVERY)
        self.assertEqual(self.server.tries, tries + 1)

    def test_stop_while_dialling(self) -> None:
        """A connection that is stopped while the server does not answer gives up at once."""
        self.wait(1)
        dialled: Deferred[Any] = Deferred()
        self.patch(self.server, "connect", lambda factory: dialled)
        self.wait(2)
        self.successResultOf(Deferred.fromCoroutine(self.connection.stop()))
        self.assertTrue(dialled.called)
        self.assertEqual(self.bench.steady.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """A connection that is stopped while it waits leaves nothing behind."""
        self.wait(3)
        self.successResultOf(Deferred.fromCoroutine(self.connection.stop()))
        self.assertEqual(self.bench.steady.getDelayedCalls(), [])


class WordsTests(Case):
    """Why a connection ended, in words."""

    def test_other_protocol(self) -> None:
        """A server that refuses the protocol, a web server say, is called what it is."""
        alert = SSL.Error([("SSL routines", "", "tlsv1 alert no application protocol")])
        self.assertEqual(Handshakes(b"x").words_for(Failure(alert)), STRANGER)

    def test_tls(self) -> None:
        """OpenSSL's complaints are shortened to what they say."""
        for error, words in ((SSL.Error([("", "", "bad record mac")]), "bad record mac"), (SSL.Error([]), "was cut")):
            self.assertIn(words, Handshakes(b"x").words_for(Failure(error)))


class LinkTests(ReactorCase):
    """A link on real TLS."""

    def setUp(self) -> None:
        self.net = the_reactor()
        self.center = SmallCenter()
        self.center.listen()
        self.addCleanup(self.center.stop)
        self.clock = Clock(self.net)
        self.log = RecordingLog(self.clock)
        self.directory = self.folder()
        self.commands: list[Command] = []

    def connect(self, credentials: Credentials | None = None) -> Connection:
        """Connect to the center, with pauses that a test can bear."""
        self.renewal = Renewal(self.directory, credentials or self.center.authority.credentials(), self.clock, self.log)
        connection = Connection(
            "the center",
            over_tls(lambda handshakes: endpoint(self.net, parse_address(self.center.address), handshakes), self.clock),
            self.clock,
            self.log,
            self.renewal,
            Talk(Hello, [self.log], {Command: self.commands.append}),
            Quick(),
            network_state,
        )
        connection.start()
        self.addCleanup(connection.stop)
        return connection

    async def logged(self, text: str) -> None:
        """Wait for a line of the device's log."""
        while not any(text in line for line in self.log.lines):
            await deferLater(self.net, 0.01)

    async def until(self, condition: Callable[[], Any]) -> Any:
        """What ``condition`` gives once it is true."""
        return await self.center.until(condition)

    async def next_hello(self) -> None:
        """Wait for a greeting, and forget it."""
        await self.until(lambda: self.center.last(Hello))
        self.center.received.clear()

    async def test_link(self) -> None:
        """The device says Hello over TLS 1.3 with its own certificate, and takes what the center says."""
        self.connect()
        await self.until(lambda: self.center.last(Hello))
        transport: Any = self.center.peers[0].transport
        self.assertEqual(transport.getHandle().get_protocol_version_name(), "TLSv1.3")
        self.center.peers[0].send(Command(5, "relay"), Ping())
        await self.until(lambda: self.center.last(Pong))
        self.assertEqual(self.commands, [Command(5, "relay")])

    async def test_any_chunking(self) -> None:
        """However the bytes arrive, the messages are the same."""
        self.connect()
        await self.until(lambda: self.center.last(Hello))
        transport: Any = self.center.peers[0].transport
        for byte in frame(Command(5, "relay")) + frame(Ping()):
            transport.write(bytes([byte]))
            await deferLater(self.net, 0)
        await self.until(lambda: self.center.last(Pong))
        self.assertEqual(self.commands, [Command(5, "relay")])

    async def test_again(self) -> None:
        """A link that breaks is followed by another."""
        self.connect()
        for _ in range(3):
            await self.next_hello()
            self.center.peers[-1].cut()

    async def test_closed_while_full(self) -> None:
        """A server that closes TLS while the device has much to tell is left once it has read that, and another link is
        tried."""
        self.center.heartbeat = 300.0
        links = made(self, Link)
        self.connect()
        await self.next_hello()
        await close_while_full(self.net, links[0], self.center.peers[0])
        await self.next_hello()

    async def test_vanished_server(self) -> None:
        """A server that says nothing any more, though the connection stands, is noticed, and another link is tried."""
        self.center.heartbeat = 0.1
        self.center.answers[Ping] = lambda peer, ping: None
        self.connect()
        await self.until(lambda: len(self.center.peers) > 1)
        await self.logged("no sign of life from the server for 0.25 s")

    async def test_other_authority(self) -> None:
        """A server of another authority hears nothing from the device."""
        self.connect(SmallAuthority("another root").credentials())
        await self.logged("cannot be trusted: its certificate comes from another authority")
        self.assertEqual(self.center.received, [])

    async def check_server(self, complaint: str) -> None:
        """The center's certificate, or what it speaks, is wrong: the device tells it nothing."""
        self.connect()
        await self.logged(complaint)
        self.assertEqual(self.center.received, [])

    async def test_other_name(self) -> None:
        """A certificate of the right root for another name, the web's for one, is not a server's."""
        self.center.certificate = self.center.authority.server(self.center.key, "center.example")
        await self.check_server("cannot be trusted: its certificate is not for iotcenter.internal")

    async def test_expired_server(self) -> None:
        """An expired server is not trusted."""
        self.center.certificate = self.center.authority.server(self.center.key, ends=-60)
        await self.check_server("cannot be trusted: its certificate has expired")

    async def test_device_as_server(self) -> None:
        """A device's certificate does not make a server."""
        self.center.certificate = self.center.authority.server(self.center.key, client=True)
        await self.check_server("cannot be trusted: its certificate is not a server's")

    async def test_no_protocol(self) -> None:
        """A server that agrees on no protocol, a mail server say, is not talked to."""
        self.center.alpn = []
        await self.check_server("it is not an IotCenter for devices: is the port right?")

    async def test_revoked(self) -> None:
        """A device that was revoked says in its log what its owner can do, and tries again slowly."""
        self.center.answers[Hello] = lambda peer, hello: peer.close("revoked", "this device was revoked")
        self.connect()
        await self.logged("this device was revoked. To take it in again, make a new token on the server")

    async def test_garbage(self) -> None:
        """A server that does not keep to the protocol is told so, and left."""
        self.connect()
        await self.until(lambda: self.center.last(Hello))
        transport: Any = self.center.peers[0].transport
        transport.write(b"\xff\xff\xff\xff")
        close = await self.until(lambda: self.center.last(Close))
        self.assertEqual((close.code, "outside" in close.reason), (CloseCode.PROTOCOL, True))
        await self.logged("the server broke the protocol")

    async def test_stop(self) -> None:
        """An agent that stops says so."""
        connection = self.connect()
        await self.until(lambda: self.center.last(Hello))
        self.center.peers[0].send(Ping())
        await self.until(lambda: self.center.last(Pong))
        await connection.stop()
        close = await self.until(lambda: self.center.last(Close))
        self.assertEqual(close.code, CloseCode.STOPPING)

    async def test_logs(self) -> None:
        """What was logged without a link is told over the next, no faster than it can bear."""
        for number in range(3):
            self.log.say(f"line {number}")
        self.connect()
        log = await self.until(lambda: self.center.last(Log))
        self.assertEqual([line.text for line in log.lines], ["line 0", "line 1", "line 2"])

    async def test_renewal(self) -> None:
        """At two thirds of its certificate's life the device gets a new one, for the same key, over the link that
        stands."""
        old = self.center.authority.credentials(ends=30, starts=100)
        self.connect(old)
        await self.until(lambda: self.center.last(Renew))
        await self.logged("The certificate is renewed: it is valid for 90.0 days")
        new = load_credentials(self.directory)
        assert new is not None
        self.assertEqual(new.certificate.public_key(), old.certificate.public_key())
        self.assertGreater(new.expires, old.expires + 80 * DAY)
        self.assertEqual(len(self.center.peers), 1)
        self.assertIs(self.renewal.credentials.root, old.root)

    async def test_renewal_over_the_edge(self) -> None:
        """A device whose certificate has expired may renew it, and comes again with the new one."""
        self.connect(self.center.authority.credentials(ends=-5))
        await self.until(lambda: self.center.last(Hello))
        self.assertEqual([type(message) for message in self.center.received], [Renew, Hello])
        self.assertEqual(len(self.center.peers), 2)

    async def test_clock_behind(self) -> None:
        """Where the server says that the certificate has expired, it is renewed, though this machine's clock says
        otherwise."""

        def hello(peer: Any, message: Hello) -> None:
            transport: Any = peer.transport
            expired = transport.getPeerCertificate().has_expired()
            peer.close("expired", "the certificate has expired") if expired else self.center.welcome(peer, message)

        self.center.answers[Hello] = hello
        self.clock.wall = lambda: self.net.seconds() - DAY
        self.connect(self.center.authority.credentials(ends=-5, starts=7200))
        await self.until(lambda: len(self.center.received) >= 3)
        self.assertEqual([type(message) for message in self.center.received][:3], [Hello, Renew, Hello])

    async def test_clock_ahead(self) -> None:
        """Where the server says that the certificate has not expired, it is used, though this machine's clock says
        otherwise."""
        self.center.answers[Renew] = lambda peer, _: peer.close("protocol", "a device's first message must be Hello")
        self.clock.wall = lambda: self.net.seconds() + 10 * DAY
        self.connect()
        await self.until(lambda: len(self.center.received) >= 2)
        self.assertEqual([type(message) for message in self.center.received][:2], [Renew, Hello])

    async def test_session_is_never_resumed(self) -> None:
        """Each link is a full handshake: no ticket of an earlier one is used."""
        self.connect()
        for _ in range(2):
            await self.next_hello()
            transport: Any = self.center.peers[-1].transport
            handle: SSL.Connection = transport.getHandle()
            self.assertFalse(SSL._lib.SSL_session_reused(handle._ssl))  # type: ignore[attr-defined]
            self.center.peers[-1].cut()

    async def test_unread(self) -> None:
        """A server that asks without end and reads nothing is given up, before its answers fill the memory."""
        self.connect()
        await self.until(lambda: self.center.last(Hello))
        peer = self.center.peers[0]
        transport: Any = peer.transport
        transport.pauseProducing()
        while not any("reads nothing" in line for line in self.log.lines):
            peer.send(*[Ping()] * 5000)
            await deferLater(self.net, 0.001)


class Quick(Pauses):
    """Pauses for tests."""

    def __init__(self) -> None:
        super().__init__(lambda: 0.0)

    def next(self, worked: float) -> float:
        """Hardly any."""
        return 0.01

    def longest(self) -> float:
        """Long enough to be seen."""
        return 1.0
