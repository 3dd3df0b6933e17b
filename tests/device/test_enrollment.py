"""How a device joins."""

from __future__ import annotations

import stat

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from iotcenter.wire.messages import Enroll, Enrolled, Hello
from iotcenter.wire.token import Token
from iotdevice.config import load_settings
from iotdevice.credentials import load_credentials
from iotdevice.enrollment import Enrollment, EnrollmentFailed, enroll, trusted_root
from iotdevice.tls import Handshakes, UntrustedServer
from tests.device.authority import DEVICE, SmallAuthority, new_key, now
from tests.device.server import Peer, SmallCenter
from tests.device.support import Case, ReactorCase, the_reactor


class EnrollmentTests(ReactorCase):
    """How a device joins, over real TLS."""

    def setUp(self) -> None:
        self.center = SmallCenter()
        self.center.listen()
        self.addCleanup(self.center.stop)
        self.directory = self.folder()

    def token(self, secret: bytes = b"s" * 16) -> Token:
        """What the center gave the device."""
        return Token("127.0.0.1", self.center.port, self.center.authority.fingerprint, secret)

    async def refused(self, token: Token, wall: float | None = None) -> str:
        """Why the enrollment failed; it left nothing behind."""
        try:
            await enroll(the_reactor(), token, self.directory, now if wall is None else lambda: wall)
        except EnrollmentFailed as error:
            self.assertEqual(list(self.directory.iterdir()), [])
            return str(error)
        raise AssertionError("the device was enrolled")

    async def test_enroll(self) -> None:
        """The device makes its key, and gets its certificate, its root and its server's address."""
        enrolled = await enroll(the_reactor(), self.token(), self.directory)
        self.assertEqual((enrolled.name, enrolled.id), ("kitchen-pi", DEVICE))
        credentials = load_credentials(self.directory)
        assert credentials is not None
        self.assertEqual((credentials.device, credentials.root), (DEVICE, self.center.authority.root))
        self.assertEqual(load_settings(self.directory).server, self.center.address)
        self.assertEqual((self.directory / "udp.key").read_text(), (b"k" * 32).hex())

    async def test_key_stays(self) -> None:
        """The key is the device's alone: P-256, for its user's eyes only, and nothing of it was sent."""
        await enroll(the_reactor(), self.token(), self.directory)
        credentials = load_credentials(self.directory)
        assert credentials is not None
        self.assertIsInstance(credentials.key.curve, ec.SECP256R1)
        for name in ("identity.pem", "udp.key"):
            self.assertEqual(stat.S_IMODE((self.directory / name).stat().st_mode), 0o600)
        (question,) = self.center.received
        self.assertEqual(x509.load_der_x509_csr(question.request).public_key(), credentials.key.public_key())

    async def test_settings_stay(self) -> None:
        """A device that is enrolled anew keeps its settings, but for the server."""
        text = '# mine\nserver = "old:1"\nallow_reboot = true\n[spool]\ndays = 3\n'
        (self.directory / "iotdevice.toml").write_text(text)
        await enroll(the_reactor(), self.token(), self.directory)
        settings = load_settings(self.directory)
        self.assertEqual(settings.server, self.center.address)
        self.assertEqual((settings.allow_reboot, settings.spool.days), (True, 3.0))
        self.assertIn("# mine", (self.directory / "iotdevice.toml").read_text())

    async def test_refused(self) -> None:
        """A token that was used already is refused in the center's words."""
        reason = await self.refused(self.token(b"x" * 16))
        self.assertEqual(reason, f"{self.center.address}: the token was used already")

    async def test_other_root(self) -> None:
        """A server of another root, an impostor, does not get the secret."""
        token = self.token()
        self.center.authority = SmallAuthority("an impostor's root")
        self.center.certificate = self.center.authority.server(self.center.key)
        self.assertIn("this is not the server that the token is for", await self.refused(token))
        self.assertEqual(self.center.received, [])

    async def test_root_that_signed_nothing(self) -> None:
        """An impostor who shows the right root, which everybody may know, beside a certificate of his own does not get
        the secret."""
        token = self.token()
        self.center.certificate = SmallAuthority().server(self.center.key)
        self.assertIn("its certificate is not right", await self.refused(token))
        self.assertEqual(self.center.received, [])

    async def test_device_as_server(self) -> None:
        """Another device of the same center does not get the secret, though the same root signed it."""
        self.center.certificate = self.center.authority.server(self.center.key, client=True)
        self.assertIn("its certificate is not right", await self.refused(self.token()))
        self.assertEqual(self.center.received, [])

    async def test_web_as_server(self) -> None:
        """Nor does the web's certificate, which the same root signed for another name."""
        self.center.certificate = self.center.authority.server(self.center.key, "center.example")
        self.assertIn("its certificate is not right", await self.refused(self.token()))

    async def test_clock(self) -> None:
        """A machine that does not know the time is told so."""
        self.assertIn("it says 1970-01-01 00:01 UTC", await self.refused(self.token(), wall=60.0))

    async def test_nobody_there(self) -> None:
        """A server that cannot be reached is named."""
        token = self.token()
        await self.center.stop()
        self.assertIn(f"{self.center.address} cannot be reached: Connection was refused", await self.refused(token))

    async def test_not_an_iotcenter(self) -> None:
        """A TLS server of another kind is called that."""
        self.center.alpn = []
        self.assertIn("it is not an IotCenter for devices", await self.refused(self.token()))

    async def test_credentials_for_another_key(self) -> None:
        """A certificate for another key than the device's is not taken."""

        def other(peer: Peer, question: Enroll) -> None:
            credentials = self.center.authority.credentials()
            root = self.center.authority.root.public_bytes(Encoding.DER)
            peer.send(Enrolled("x", DEVICE, credentials.certificate.public_bytes(Encoding.DER), root))

        self.center.answers[Enroll] = other
        reason = await self.refused(self.token())
        self.assertIn("credentials that do not fit: the certificate is for another key", reason)

    async def test_another_root_in_the_answer(self) -> None:
        """The root that is kept is the one that the token named."""

        def other(peer: Peer, question: Enroll) -> None:
            authority = SmallAuthority()
            root = authority.root.public_bytes(Encoding.DER)
            peer.send(Enrolled("x", DEVICE, authority.device(question.request), root))

        self.center.answers[Enroll] = other
        self.assertIn("answered with another root than its own", await self.refused(self.token()))

    async def test_nonsense(self) -> None:
        """An answer that is none is called that."""
        self.center.answers[Enroll] = lambda peer, question: peer.send(Hello())
        self.assertIn("a server does not answer with Hello", await self.refused(self.token()))

    async def test_hung_up(self) -> None:
        """A server that hangs up without a word is an error in words."""
        self.center.answers[Enroll] = lambda peer, question: peer.cut()
        self.assertIn(self.center.address, await self.refused(self.token()))

    async def test_bad_address(self) -> None:
        """A token whose address is none writes nothing into the settings."""
        token = Token('x"\nallow_reboot = true', 1, b"f" * 32, b"s" * 16)
        self.assertIn("the token's address is damaged", await self.refused(token))


class SilenceTests(Case):
    """A server that takes its time, or says anything at all."""

    def conversation(self) -> tuple[Clock, Enrollment]:
        """A conversation that was begun."""
        clock = Clock()
        protocol = Enrollment(clock, Handshakes.for_enrollment(), b"", Enroll(b"s" * 16, b""), now)
        protocol.makeConnection(Cable(protocol))
        return clock, protocol

    def test_silence(self) -> None:
        """A server that does not answer in time is given up."""
        clock, protocol = self.conversation()
        clock.pump([30, 1])
        failure = self.failureResultOf(protocol.answer, EnrollmentFailed)
        self.assertEqual(failure.getErrorMessage(), "no answer within 30 s")
        self.assertEqual(clock.getDelayedCalls(), [])

    @given(st.binary(max_size=200))
    def test_any_bytes(self, data: bytes) -> None:
        """Whatever a server sends, the outcome is an answer or an error in words."""
        clock, protocol = self.conversation()
        protocol.dataReceived(data)
        clock.pump([30, 1])
        self.failureResultOf(protocol.answer, EnrollmentFailed)


class Cable(StringTransport):
    """A connection that can be cut."""

    def __init__(self, protocol: Enrollment) -> None:
        super().__init__()
        self.protocol = protocol

    def abortConnection(self) -> None:
        """Cut it: the protocol hears of it."""
        self.protocol.connectionLost()


class RootTests(Case):
    """Which root is trusted."""

    def test_root(self) -> None:
        """It is the one with the fingerprint, wherever it stands in the chain."""
        authority, other = SmallAuthority(), SmallAuthority("other")
        chain = [authority.server(new_key()), other.root, authority.root]
        self.assertEqual(trusted_root(chain, authority.fingerprint, now()), authority.root)
        self.assertRaises(UntrustedServer, trusted_root, chain, other.fingerprint, now())

    def test_no_chain(self) -> None:
        """A server without certificates is not trusted."""
        self.assertRaises(UntrustedServer, trusted_root, [], b"f" * 32, now())
