"""The authority, from its first start on."""

from __future__ import annotations

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.identity.authority import Authority, device_of, key_of
from iotcenter.identity.certificates import DAY
from iotcenter.identity.errors import IdentityError
from iotcenter.interfaces import Refused
from tests.identity.support import (
    DEVICE,
    certificate_request,
    clock_at,
    key_pem,
    new_directory,
    new_private_key,
    open_authority,
)


class OpenTests(SynchronousTestCase):
    """What is on disk, and what becomes of it."""

    def setUp(self) -> None:
        self.directory = new_directory(self)
        self.place = self.directory / "authority"
        self.clock = clock_at()

    def open(self) -> Authority:
        """The authority as a start of the server finds it."""
        return open_authority(self.directory, self.clock)

    def failure(self) -> str:
        """The one line with which a start ends."""
        line = str(self.assertRaises(IdentityError, self.open))
        self.assertNotIn("\n", line)
        return line

    def test_first_start(self) -> None:
        """The first start makes key and root, which only the owner can read."""
        self.open()
        modes = {path.name: path.stat().st_mode & 0o777 for path in self.place.iterdir()}
        self.assertEqual(modes, {"root.key": 0o600, "root.pem": 0o600})
        self.assertEqual(self.place.stat().st_mode & 0o777, 0o700)

    def test_next_start(self) -> None:
        """Later starts find the same authority."""
        first, second = self.open(), self.open()
        self.assertEqual(first.root, second.root)
        self.assertEqual(first.fingerprint, second.fingerprint)

    def test_killed_between(self) -> None:
        """A first start that was killed after it wrote the key is finished by the next."""
        first = self.open()
        (self.place / "root.pem").unlink()
        (self.place / ".root.pem.new").write_bytes(b"-----BEGIN CERT")
        self.assertEqual(key_of(self.open().root), key_of(first.root))

    def test_key_gone(self) -> None:
        """A root without its key is not replaced by another one: all devices depend on it."""
        root = self.open().root
        (self.place / "root.key").unlink()
        self.assertIn("root.key is missing", self.failure())
        self.assertEqual(x509.load_pem_x509_certificate((self.place / "root.pem").read_bytes()), root)
        self.assertFalse((self.place / "root.key").exists())

    def test_damaged(self) -> None:
        """A damaged file is named, and left as it is."""
        for name in ("root.pem", "root.key"):
            self.open()
            (self.place / name).write_bytes(b"\0garbage")
            self.assertIn(f"{name} is damaged", self.failure())
            self.assertEqual((self.place / name).read_bytes(), b"\0garbage")
            (self.place / name).unlink()

    def test_not_a_pair(self) -> None:
        """A root that is not for the key beside it is refused."""
        self.open()
        (self.place / "root.key").write_bytes(key_pem(new_private_key()))
        self.assertIn("not for the key beside it", self.failure())

    def test_other_key(self) -> None:
        """A key of another kind is refused."""
        self.open()
        (self.place / "root.key").write_bytes(key_pem(ec.generate_private_key(ec.SECP384R1())))
        self.assertIn("must be a P-256 key", self.failure())

    def test_permissions(self) -> None:
        """A root key that others could read is closed to them."""
        self.open()
        (self.place / "root.key").chmod(0o644)
        self.open()
        self.assertEqual((self.place / "root.key").stat().st_mode & 0o777, 0o600)

    def test_clock_of_1970(self) -> None:
        """A root that was made before the clock was set is good when it is."""
        self.clock.rightNow = 1000.0
        root = self.open().root
        self.assertLess(root.not_valid_before_utc.year, 2026)
        self.assertGreater(root.not_valid_after_utc.year, 2046)


class ServerTests(SynchronousTestCase):
    """What the server shows its devices."""

    def setUp(self) -> None:
        self.clock = clock_at()
        self.authority = open_authority(new_directory(self), self.clock)

    def test_chain(self) -> None:
        """A device that knows only the root's fingerprint finds the root in the handshake."""
        leaf, root = self.authority.server_credentials().chain
        leaf.verify_directly_issued_by(root)
        self.assertEqual(hashlib.sha256(root.public_bytes(Encoding.DER)).digest(), self.authority.fingerprint)

    def test_key(self) -> None:
        """The key that comes with the certificate is the one that it is for."""
        credentials = self.authority.server_credentials()
        self.assertEqual(credentials.key.public_key(), credentials.chain[0].public_key())
        self.assertNotEqual(key_of(credentials.chain[0]), key_of(self.authority.root))

    def test_same_until_due(self) -> None:
        """The credentials are the same object until two thirds of their life are over, and then new."""
        first = self.authority.server_credentials()
        self.clock.advance(59 * DAY)
        self.assertIs(self.authority.server_credentials(), first)
        self.clock.advance(2 * DAY)
        second = self.authority.server_credentials()
        self.assertIsNot(second, first)
        self.assertIs(self.authority.server_credentials(), second)

    def test_clock_set_right(self) -> None:
        """Credentials that were made while the clock was wrong are replaced when it is right, both ways."""
        for wrong in (0.0, 2e9):
            right = self.clock.seconds()
            self.clock.rightNow = wrong
            self.authority.server_credentials()
            self.clock.rightNow = right
            leaf = self.authority.server_credentials().chain[0]
            self.assertLess(abs(leaf.not_valid_before_utc.timestamp() - right), 400)


class SignTests(SynchronousTestCase):
    """Certificates for devices."""

    def setUp(self) -> None:
        self.clock = clock_at()
        self.authority = open_authority(new_directory(self), self.clock)

    def sign(self, request: bytes) -> x509.Certificate:
        """The certificate that ``request`` leads to."""
        return x509.load_der_x509_certificate(self.authority.sign_device(request, DEVICE)[0])

    def test_signed(self) -> None:
        """A device's certificate is the root's, for that device and its key."""
        key = new_private_key()
        certificate = self.sign(certificate_request(key))
        certificate.verify_directly_issued_by(self.authority.root)
        self.assertEqual((certificate.public_key(), device_of(certificate)), (key.public_key(), DEVICE))

    def test_lifetime(self) -> None:
        """It lives for as long as the authority was told, to the second, and the caller learns until when."""
        for days in (90.0, 20 / DAY):
            authority = open_authority(new_directory(self), self.clock, days)
            encoded, end = authority.sign_device(certificate_request(), DEVICE)
            self.assertEqual(end, self.clock.seconds() + round(days * DAY))
            self.assertEqual(x509.load_der_x509_certificate(encoded).not_valid_after_utc.timestamp(), end)

    def test_nothing_copied(self) -> None:
        """A request that asks to be an authority, a server or another device gets none of it."""
        names = x509.SubjectAlternativeName(
            [x509.DNSName("iotcenter.internal"), x509.UniformResourceIdentifier("urn:iotcenter:device:" + "f" * 32)]
        )
        greedy = certificate_request(
            None,
            names,
            x509.BasicConstraints(ca=True, path_length=None),
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            subject="root",
        )
        got, plain = self.sign(greedy), self.sign(certificate_request())
        self.assertEqual(device_of(got), DEVICE)
        self.assertEqual(got.subject, plain.subject)
        unlike = {x509.SubjectKeyIdentifier.oid}
        self.assertEqual(
            [extension for extension in got.extensions if extension.oid not in unlike],
            [extension for extension in plain.extensions if extension.oid not in unlike],
        )

    def test_refused(self) -> None:
        """A request that is none gets nothing."""
        self.assertRaises(Refused, self.authority.sign_device, b"please", DEVICE)
