"""What stands in certificates, and what becomes of requests for them."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.identity import certificates
from iotcenter.identity.certificates import Issuer, device_of, is_fresh, key_of, make_root, read_request, renewal_time
from iotcenter.interfaces import Refused
from iotcenter.wire.names import SERVER_NAME
from tests.identity.support import DEVICE, NOW, certificate_request, new_private_key

DAY = certificates.DAY


def new_issuer() -> Issuer:
    """A root of the test's own."""
    key = certificates.new_key()
    return Issuer(key, make_root(key))


def purposes(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    """What ``certificate`` may be used for."""
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


class RootTests(SynchronousTestCase):
    """The authority's own certificate."""

    def setUp(self) -> None:
        self.root = new_issuer().root

    def test_signs_leaves_only(self) -> None:
        """The root may sign certificates, and nothing that it signed may."""
        basic = self.root.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = self.root.extensions.get_extension_for_class(x509.KeyUsage)
        self.assertEqual((basic.critical, basic.value.ca, basic.value.path_length), (True, True, 0))
        self.assertTrue(usage.critical and usage.value.key_cert_sign)
        self.assertFalse(usage.value.digital_signature or usage.value.crl_sign)

    def test_long_life(self) -> None:
        """A root is good for decades, whatever the clock says when it is made."""
        self.assertLess(self.root.not_valid_before_utc, datetime(2021, 1, 1, tzinfo=UTC))
        self.assertGreater(self.root.not_valid_after_utc, datetime(2060, 1, 1, tzinfo=UTC))

    def test_no_names(self) -> None:
        """A root says nothing of the machine, and no two have the same name."""
        self.assertEqual(certificates.names_in(self.root), [])
        self.assertNotEqual(self.root.subject, new_issuer().root.subject)


class LeafTests(SynchronousTestCase):
    """The three kinds of certificates that the root signs."""

    def setUp(self) -> None:
        self.issuer = new_issuer()
        self.key = new_private_key().public_key()

    def policy(self) -> verification.PolicyBuilder:
        """What a careful peer demands."""
        store = verification.Store([self.issuer.root])
        return verification.PolicyBuilder().store(store).time(datetime.fromtimestamp(NOW, UTC))

    def test_device(self) -> None:
        """A device's certificate is a client's, and has its id as a URI and no other name."""
        leaf = self.issuer.device(self.key, DEVICE, NOW, DAY)
        self.assertEqual(purposes(leaf), [ExtendedKeyUsageOID.CLIENT_AUTH])
        self.assertEqual(
            certificates.names_in(leaf), [x509.UniformResourceIdentifier(f"urn:iotcenter:device:{DEVICE}")]
        )
        self.assertEqual(leaf.subject.rfc4514_string(), "CN=IotCenter device")
        self.assertEqual(device_of(leaf), DEVICE)
        self.assertEqual(self.policy().build_client_verifier().verify(leaf, []).chain[-1], self.issuer.root)

    def test_leaf_signs_nothing(self) -> None:
        """A leaf is no authority: its key signs in handshakes and nowhere else."""
        leaf = self.issuer.device(self.key, DEVICE, NOW, DAY)
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        self.assertTrue(usage.digital_signature)
        self.assertFalse(usage.key_cert_sign or usage.key_agreement or usage.content_commitment)
        self.assertFalse(leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)

    def test_server(self) -> None:
        """A server's certificate is good for the one constant name, and not as a client's."""
        leaf = self.issuer.server(self.key, NOW, DAY)
        self.assertEqual(purposes(leaf), [ExtendedKeyUsageOID.SERVER_AUTH])
        self.assertEqual(certificates.names_in(leaf), [x509.DNSName(SERVER_NAME)])
        self.policy().build_server_verifier(x509.DNSName(SERVER_NAME)).verify(leaf, [])
        with self.assertRaises(verification.VerificationError):
            self.policy().build_client_verifier().verify(leaf, [])

    def test_web(self) -> None:
        """A certificate for the web cannot pass for the devices' server."""
        leaf = self.issuer.web(self.key, [x509.DNSName("center.example")], NOW, DAY)
        self.policy().build_server_verifier(x509.DNSName("center.example")).verify(leaf, [])
        with self.assertRaises(verification.VerificationError):
            self.policy().build_server_verifier(x509.DNSName(SERVER_NAME)).verify(leaf, [])

    def test_web_never_as_server(self) -> None:
        """Nobody gets a certificate for the web that bears the server's name."""
        with self.assertRaises(ValueError):
            self.issuer.web(self.key, [x509.DNSName(SERVER_NAME)], NOW, DAY)

    def test_other_root(self) -> None:
        """A certificate of another root is worth nothing."""
        with self.assertRaises(verification.VerificationError):
            self.policy().build_client_verifier().verify(new_issuer().device(self.key, DEVICE, NOW, DAY), [])

    def test_lagging_clock(self) -> None:
        """A certificate is good at once for a peer whose clock is some minutes behind."""
        leaf = self.issuer.device(self.key, DEVICE, NOW, 90 * DAY)
        self.assertEqual(NOW - leaf.not_valid_before_utc.timestamp(), certificates.LAG)

    def test_renewal_time(self) -> None:
        """Two thirds of a life are told from the certificate alone, for 90 days and for 20 seconds."""
        for lifetime in (20.0, 90 * DAY):
            due = renewal_time(self.issuer.device(self.key, DEVICE, NOW, lifetime)) - NOW
            self.assertLess(abs(due - lifetime * 2 / 3), max(1.5, lifetime / 100))

    def test_fresh(self) -> None:
        """A certificate is fresh from its start until it is due, and no more once the clock was set far back."""
        leaf = self.issuer.device(self.key, DEVICE, NOW, 90 * DAY)
        self.assertTrue(is_fresh(leaf, NOW) and is_fresh(leaf, NOW + 59 * DAY))
        self.assertFalse(is_fresh(leaf, NOW + 61 * DAY) or is_fresh(leaf, NOW - DAY))

    def test_serials_differ(self) -> None:
        """No two certificates have the same serial number."""
        serials = {self.issuer.server(self.key, NOW, DAY).serial_number for _ in range(10)}
        self.assertEqual(len(serials), 10)


class DeviceOfTests(SynchronousTestCase):
    """Whose certificate it is."""

    def test_not_a_device(self) -> None:
        """A server's certificate, and one without names, are no device's."""
        issuer = new_issuer()
        self.assertIsNone(device_of(issuer.server(new_private_key().public_key(), NOW, DAY)))
        self.assertIsNone(device_of(issuer.root))

    def test_not_an_id(self) -> None:
        """A URI counts only where it is exactly a device's."""
        issuer = new_issuer()
        for wrong in ("", DEVICE[:-1], DEVICE + "0", DEVICE.upper(), DEVICE + "/x", DEVICE + "\n"):
            self.assertIsNone(device_of(issuer.device(new_private_key().public_key(), wrong, NOW, DAY)), wrong)

    def test_second_name(self) -> None:
        """A certificate that bears another name beside the device's is no device's."""
        uri = x509.UniformResourceIdentifier(f"urn:iotcenter:device:{DEVICE}")
        leaf = new_issuer().web(new_private_key().public_key(), [uri, x509.DNSName("center")], NOW, DAY)
        self.assertIsNone(device_of(leaf))


class RequestTests(SynchronousTestCase):
    """What is taken from a certificate request."""

    def test_key(self) -> None:
        """The key in a good request is read."""
        key = new_private_key()
        self.assertEqual(read_request(certificate_request(key)), key.public_key())

    def test_same_hash(self) -> None:
        """A request and the certificate for its key are known by the same hash."""
        request = certificate_request()
        leaf = new_issuer().device(read_request(request), DEVICE, NOW, DAY)
        self.assertEqual(key_of(leaf), key_of(x509.load_der_x509_csr(request)))

    def test_other_keys(self) -> None:
        """A request for any key but a P-256 key is refused."""
        for key in (
            ec.generate_private_key(ec.SECP384R1()),
            ec.generate_private_key(ec.SECP256K1()),
            rsa.generate_private_key(65537, 2048),
        ):
            self.assert_refused(certificate_request(key), "P-256")

    def test_ed25519(self) -> None:
        """A request for an Ed25519 key is refused."""
        builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
        request = builder.sign(ed25519.Ed25519PrivateKey.generate(), None)
        self.assert_refused(request.public_bytes(Encoding.DER), "P-256")

    def test_not_its_own_key(self) -> None:
        """A request for somebody else's public key is refused: its maker cannot sign it."""
        own, other = new_private_key(), new_private_key()
        forged = certificate_request(own).replace(point(own), point(other))
        self.assert_refused(forged, "not signed with its own key")

    def test_long(self) -> None:
        """A long request is refused before it is parsed."""
        self.assert_refused(certificate_request(None, x509.SubjectAlternativeName([x509.DNSName("a" * 2000)])), "long")

    def test_version(self) -> None:
        """A request of another version of the format is refused."""
        self.assert_refused(GOOD_REQUEST.replace(b"\x02\x01\x00", b"\x02\x01\x01", 1), "not a certificate request")

    def test_trailing_bytes(self) -> None:
        """Bytes behind a request make it none."""
        self.assert_refused(certificate_request() + b"\0", "not a certificate request")

    @given(st.binary(max_size=certificates.MAX_REQUEST + 1))
    def test_any_bytes(self, request: bytes) -> None:
        """Whatever bytes come, they are refused in words."""
        self.assert_refused(request, "")

    @given(st.data())
    def test_damaged(self, data: st.DataObject) -> None:
        """A request with one byte changed anywhere is refused in words: all of it is signed."""
        request = bytearray(GOOD_REQUEST)
        place = data.draw(st.integers(0, len(request) - 1))
        request[place] ^= data.draw(st.integers(1, 255))
        self.assert_refused(bytes(request), "")

    def assert_refused(self, request: bytes, words: str) -> None:
        """``request`` is refused, and nothing but ``Refused`` is raised."""
        error = self.assertRaises(Refused, read_request, request)
        self.assertIn(words, str(error))


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public half of ``key`` as it stands in a request."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


GOOD_REQUEST = certificate_request()
