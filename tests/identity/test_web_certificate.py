"""The certificate that browsers see."""

from __future__ import annotations

import base64
import hashlib
import socket

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.identity.certificates import DAY, key_of, names_in
from iotcenter.identity.errors import IdentityError
from iotcenter.identity.machine import Names
from iotcenter.identity.web_certificate import LOOK, WEB_DAYS, WebCertificate
from iotcenter.wire.names import SERVER_NAME
from tests.identity.support import NOW, clock_at, key_pem, new_directory, new_private_key, open_authority, pem


def named(*names: str) -> Names:
    """``names`` as they stand in certificates."""
    return frozenset(x509.DNSName(name) for name in names)


class OwnTests(SynchronousTestCase):
    """The machine's own certificate."""

    def setUp(self) -> None:
        self.directory = new_directory(self)
        self.clock = clock_at()
        self.authority = open_authority(self.directory, self.clock)
        self.names = named("localhost", "center")

    def open(self) -> WebCertificate:
        """The certificate as a start of the server finds it."""
        return WebCertificate.open(self.directory, self.authority, self.clock.seconds, names=lambda: self.names)

    def test_names(self) -> None:
        """It is for the names that the machine has, and signed by the root, which comes with it."""
        leaf, root = self.open().credentials().chain
        self.assertEqual(frozenset(names_in(leaf)), self.names)
        self.assertEqual(root, self.authority.root)
        leaf.verify_directly_issued_by(root)

    def test_real_names(self) -> None:
        """Where nothing else is said, it is for the names of this very machine."""
        web = WebCertificate.open(self.directory, self.authority, self.clock.seconds)
        self.assertTrue(web.own)
        self.assertIn(x509.DNSName(socket.gethostname().lower()), names_in(web.credentials().chain[0]))

    def test_never_the_server(self) -> None:
        """A machine that calls itself like every devices' server gets no certificate for that name."""
        self.names = named("center", SERVER_NAME)
        web = self.open()
        self.assertEqual(names_in(web.credentials().chain[0]), [x509.DNSName("center")])
        self.assertIs(web.credentials(), web.credentials())

    def test_pin(self) -> None:
        """The pin is what curl computes, and stays the same when the certificate is renewed."""
        web = self.open()
        pin = web.pin()
        self.assertEqual(pin, "sha256//" + base64.b64encode(key_of(web.credentials().chain[0])).decode())
        self.clock.advance(WEB_DAYS * DAY)
        self.assertEqual(web.pin(), pin)
        self.assertEqual(self.open().pin(), pin)

    def test_fingerprint(self) -> None:
        """The fingerprint is what browsers show."""
        web = self.open()
        encoded = web.credentials().chain[0].public_bytes(Encoding.DER)
        self.assertEqual(web.fingerprint(), hashlib.sha256(encoded).hexdigest())

    def test_renewed(self) -> None:
        """It is renewed by itself after two thirds of its life, and not before."""
        web = self.open()
        first = web.credentials()
        self.clock.advance(WEB_DAYS * DAY * 0.66)
        self.assertIs(web.credentials(), first)
        self.clock.advance(WEB_DAYS * DAY * 0.01)
        second = web.credentials()
        self.assertIsNot(second, first)
        self.assertIs(second.key, first.key)
        self.assertGreater(second.chain[0].not_valid_after_utc, first.chain[0].not_valid_after_utc)

    def test_new_name(self) -> None:
        """A name that the machine gets is in the certificate a minute later."""
        web = self.open()
        first = web.credentials()
        self.names = named("localhost", "center", "center.example")
        self.clock.advance(LOOK - 1)
        self.assertIs(web.credentials(), first)
        self.clock.advance(1)
        self.assertIn(x509.DNSName("center.example"), names_in(web.credentials().chain[0]))

    def test_lost_name(self) -> None:
        """A name that the machine loses does not make browsers ask anew."""
        web = self.open()
        first = web.credentials()
        self.names = named("localhost")
        self.clock.advance(LOOK)
        self.assertIs(web.credentials(), first)

    def test_restart(self) -> None:
        """After a restart it is the same certificate: browsers that trust it need not ask again."""
        self.assertEqual(self.open().fingerprint(), self.open().fingerprint())

    def test_restart_later(self) -> None:
        """A start finds out that its certificate is due, or lacks a name."""
        first = self.open().fingerprint()
        self.names = named("localhost", "other")
        second = self.open().fingerprint()
        self.clock.advance(WEB_DAYS * DAY)
        self.assertEqual(len({first, second, self.open().fingerprint()}), 3)

    def test_useless_file(self) -> None:
        """A certificate on disk that is damaged, another root's or for another key is replaced."""
        file = self.directory / "authority" / "web.pem"
        foreign_directory = new_directory(self)
        foreign = open_authority(foreign_directory, self.clock)
        useless = (
            b"junk",
            pem(foreign.sign_web(new_private_key().public_key(), self.names, DAY)),
            pem(self.authority.sign_web(new_private_key().public_key(), self.names, WEB_DAYS * DAY)),
        )
        for content in useless:
            self.open()
            file.write_bytes(content)
            leaf = self.open().credentials().chain[0]
            leaf.verify_directly_issued_by(self.authority.root)
            self.assertEqual(file.read_bytes(), pem(leaf))

    def test_private(self) -> None:
        """Its key is the owner's alone."""
        self.open()
        self.assertEqual((self.directory / "authority" / "web.key").stat().st_mode & 0o777, 0o600)

    def test_not_kept(self) -> None:
        """A certificate that cannot be written is shown all the same, and the log says so."""
        web = self.open()
        (self.directory / "authority" / "web.pem").unlink()
        (self.directory / "authority" / "web.pem").mkdir()
        self.clock.advance(WEB_DAYS * DAY)
        with capturedLogs() as logs:
            self.assertGreater(web.credentials().chain[0].not_valid_after_utc.timestamp(), self.clock.seconds())
        self.assertTrue(any("not kept" in event["log_format"] for event in logs))


class OperatorTests(SynchronousTestCase):
    """The operator's certificate in its place."""

    def test_shown(self) -> None:
        """Where the operator has a certificate, it is shown, and none of our own is made."""
        directory, clock = new_directory(self), clock_at()
        authority = open_authority(directory, clock)
        key = new_private_key()
        files = directory / "cert.pem", directory / "key.pem"
        files[0].write_bytes(pem(authority.sign_web(key.public_key(), named("center.example"), DAY)))
        files[1].write_bytes(key_pem(key))
        web = WebCertificate.open(directory, authority, clock.seconds, files)
        self.assertFalse(web.own)
        self.assertEqual(web.credentials().key.public_key(), key.public_key())
        self.assertFalse((directory / "authority" / "web.key").exists())

    def test_unusable(self) -> None:
        """Where the operator's files cannot be used, the start fails instead of showing another one."""
        directory, clock = new_directory(self), clock_at(NOW)
        missing = directory / "cert.pem", directory / "key.pem"
        authority = open_authority(directory, clock)
        self.assertRaises(IdentityError, WebCertificate.open, directory, authority, clock.seconds, missing)
