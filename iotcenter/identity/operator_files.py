"""A certificate for the web that the operator brings, in files that some other program keeps up to date."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from twisted.logger import Logger

from iotcenter.identity.certificates import UNREADABLE, hash_of_key, key_of
from iotcenter.identity.errors import IdentityError
from iotcenter.identity.private_files import MAX_SIZE
from iotcenter.interfaces import Credentials, PrivateKey

LOOK = 10.0
"""Seconds between two looks at the files."""

MIN_RSA = 2048
"""The shortest RSA key, in bits, that browsers and OpenSSL accept."""


class OperatorFiles:
    """The pair of files, read at start and again whenever one of them changes.

    A change that cannot be used is logged, and what was there before stays: an ACME client writes one file after the
    other, and the pair fits again a moment later. Raises ``IdentityError`` where it cannot be used at start.
    """

    _log = Logger()

    def __init__(self, certificate: Path, key: Path, seconds: Callable[[], float]) -> None:
        self._files = (certificate, key)
        self._seconds = seconds
        self._looked = seconds()
        self._seen = self._state()
        self._credentials = read_pair(certificate, key)
        self._warn_if_expired()

    def credentials(self) -> Credentials:
        """What the files hold now, looked at every ten seconds at most: the same object until they change."""
        now = self._seconds()
        if abs(now - self._looked) >= LOOK:
            self._looked = now
            self._look()
        return self._credentials

    def _look(self) -> None:
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            self._credentials = read_pair(*self._files)
        except IdentityError as error:
            self._log.error("the web's certificate was not reloaded, the former one stays: {reason}", reason=str(error))
        else:
            self._log.info("reloaded the web's certificate from {file}", file=self._files[0])
            self._warn_if_expired()

    def _state(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_state(file) for file in self._files)

    def _warn_if_expired(self) -> None:
        end = self._credentials.chain[0].not_valid_after_utc
        if end.timestamp() < self._seconds():
            self._log.warn("the web's certificate in {file} expired on {end:%Y-%m-%d}", file=self._files[0], end=end)


def read_pair(certificate: Path, key: Path) -> Credentials:
    """The certificates in the file ``certificate`` (PEM, the server's own first) with the key in the file ``key``.

    Raises ``IdentityError``, which names the file at fault.
    """
    try:
        chain = tuple(x509.load_pem_x509_certificates(_read(certificate)))
        named_key = key_of(chain[0])
    except UNREADABLE:
        raise IdentityError(f"{certificate} holds no certificate in PEM form that can be read") from None
    private = _private_key(key)
    if hash_of_key(private.public_key()) != named_key:
        raise IdentityError(f"the key in {key} is not the one that the certificate in {certificate} is for")
    return Credentials(private, chain)


def _private_key(path: Path) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(_read(path), password=None)
    except TypeError:
        raise IdentityError(f"the key in {path} is encrypted: it must be without a passphrase") from None
    except UNREADABLE:
        raise IdentityError(f"{path} holds no private key in PEM form that can be read") from None
    if isinstance(key, ec.EllipticCurvePrivateKey) or (isinstance(key, rsa.RSAPrivateKey) and key.key_size >= MIN_RSA):
        return key
    raise IdentityError(f"{path} holds a key that browsers do not take: use P-256, or RSA with {MIN_RSA} bits")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_SIZE)
    except OSError as error:
        raise IdentityError(f"cannot read {path}: {error.strerror}") from None


def _state(path: Path) -> tuple[int, int, int] | None:
    """What differs when somebody wrote to ``path`` or put another file in its place."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
