"""The operator's own certificate for the web."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.identity import certificates
from iotcenter.identity.certificates import DAY, Issuer, make_root
from iotcenter.identity.errors import IdentityError
from iotcenter.identity.operator_files import LOOK, OperatorFiles, read_pair
from iotcenter.interfaces import Credentials
from tests.identity.support import NOW, clock_at, key_pem, new_directory, new_private_key, pem


class OperatorFilesTests(SynchronousTestCase):
    """Read at start, and again when they change."""

    def setUp(self) -> None:
        directory = new_directory(self)
        self.certificate, self.key = directory / "fullchain.pem", directory / "privkey.pem"
        self.clock = clock_at()
        root_key = certificates.new_key()
        self.issuer = Issuer(root_key, make_root(root_key))
        self.first = new_private_key()
        self.write_certificate(self.first)
        self.write_key(self.first)

    def write_certificate(self, key: CertificateIssuerPrivateKeyTypes, now: float = NOW) -> None:
        """Put a certificate for ``key``, and the one that vouches for it, into the file."""
        leaf = self.issuer.web(key.public_key(), [x509.DNSName("center.example")], now, 90 * DAY)  # type: ignore[arg-type]
        replace(self.certificate, pem(leaf) + pem(self.issuer.root))

    def write_key(self, key: CertificateIssuerPrivateKeyTypes) -> None:
        """Put ``key`` into the file."""
        replace(self.key, key_pem(key))

    def files(self) -> OperatorFiles:
        """The files as the server reads them."""
        return OperatorFiles(self.certificate, self.key, self.clock.seconds)

    def later(self, files: OperatorFiles) -> Credentials:
        """What ``files`` give after the next look at them."""
        self.clock.advance(LOOK)
        return files.credentials()

    def test_read(self) -> None:
        """The whole chain is shown, with its key."""
        credentials = self.files().credentials()
        self.assertEqual(credentials.key.public_key(), credentials.chain[0].public_key())
        self.assertEqual(credentials.chain[1:], (self.issuer.root,))

    def test_rsa(self) -> None:
        """An RSA key is as good, unless it is so short that no browser takes it."""
        for size, good in ((2048, True), (1024, False)):
            key = rsa.generate_private_key(65537, size)
            self.write_certificate(key)
            self.write_key(key)
            if good:
                self.assertEqual(self.files().credentials().chain[0].public_key(), key.public_key())
            else:
                self.assert_fails("browsers do not take")

    def test_unchanged(self) -> None:
        """Files that do not change give the same object for ever."""
        files = self.files()
        self.assertIs(self.later(files), files.credentials())

    def test_renewed(self) -> None:
        """A new pair is shown within ten seconds."""
        files = self.files()
        second = new_private_key()
        self.write_key(second)
        self.write_certificate(second)
        self.clock.advance(LOOK - 1)
        self.assertEqual(files.credentials().chain[0].public_key(), self.first.public_key())
        self.clock.advance(1)
        self.assertEqual(files.credentials().chain[0].public_key(), second.public_key())

    def test_one_after_the_other(self) -> None:
        """While only one of the two files is new, the old pair stays, and the log says why."""
        files = self.files()
        second = new_private_key()
        self.write_certificate(second)
        with capturedLogs() as logs:
            self.assertEqual(self.later(files).chain[0].public_key(), self.first.public_key())
            self.later(files)
        self.assertEqual(len([event for event in logs if "not the one" in str(event.get("reason"))]), 1)
        self.write_key(second)
        self.assertEqual(self.later(files).chain[0].public_key(), second.public_key())

    def test_broken(self) -> None:
        """Broken or vanished files change nothing, and good ones do afterwards."""
        files = self.files()
        before = files.credentials()
        for breaking in (lambda: replace(self.certificate, b"junk"), self.certificate.unlink, self.key.unlink):
            breaking()
            self.assertIs(self.later(files), before)
        self.write_certificate(self.first)
        self.write_key(self.first)
        self.assertIsNot(self.later(files), before)

    def test_expired(self) -> None:
        """An expired certificate is better than none, and the log says that it is."""
        self.write_certificate(self.first, NOW - 100 * DAY)
        with capturedLogs() as logs:
            self.files()
        self.assertTrue(any("expired" in event["log_format"] for event in logs))

    def test_not_a_pair(self) -> None:
        """A key that is another certificate's is told at start in one line that names both files."""
        self.write_key(new_private_key())
        line = self.assert_fails("not the one that the certificate")
        self.assertIn(str(self.key), line)
        self.assertIn(str(self.certificate), line)

    def test_missing(self) -> None:
        """A file that is not there is named at start."""
        self.key.unlink()
        self.assertIn(str(self.key), self.assert_fails("cannot read"))

    def test_encrypted(self) -> None:
        """A key with a passphrase is told as that."""
        replace(self.key, key_pem(self.first, b"passphrase"))
        self.assert_fails("without a passphrase")

    def test_mixed_up(self) -> None:
        """The two files the wrong way round are told in one line."""
        self.certificate, self.key = self.key, self.certificate
        self.assert_fails("holds no certificate")
        self.assertRaises(IdentityError, read_pair, self.key, self.key)

    def assert_fails(self, words: str) -> str:
        """The start fails with one line that has ``words``; the line."""
        line = str(self.assertRaises(IdentityError, self.files))
        self.assertIn(words, line)
        self.assertNotIn("\n", line)
        return line


def replace(path: Path, content: bytes) -> None:
    """Put another file in the place of ``path``, as careful programs do; it is never of the same age."""
    changed = path.stat().st_mtime_ns if path.exists() else 0
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(changed + 10**9, changed + 10**9))
