"""The certificate that browsers see: the machine's own, or the operator's."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from twisted.logger import Logger

from iotcenter.identity.authority import Authority, authority_directory, load_or_make_key
from iotcenter.identity.certificates import DAY, UNREADABLE, hash_of_key, is_fresh, key_of, names_in
from iotcenter.identity.errors import IdentityError
from iotcenter.identity.machine import Names, machine_names
from iotcenter.identity.operator_files import OperatorFiles
from iotcenter.identity.private_files import read_private, write_private
from iotcenter.interfaces import Credentials
from iotcenter.wire.names import SERVER_NAME

WEB_DAYS = 397.0
"""How long the machine's own certificate lives: as long as browsers allow, since each new one must be trusted again."""

LOOK = 60.0
"""Seconds between two looks at the machine's names and addresses."""


class Source(Protocol):
    """Where the credentials come from."""

    def credentials(self) -> Credentials:
        """The credentials of now: the same object until they change."""


class WebCertificate:
    """What the web shows. ``own`` says whether it is the machine's own certificate, which browsers warn of.

    ``WebCertificate.open`` is the way to one.
    """

    def __init__(self, source: Source, *, own: bool) -> None:
        self._source = source
        self.own = own

    @classmethod
    def open(
        cls,
        directory: Path,
        authority: Authority,
        seconds: Callable[[], float],
        files: tuple[Path, Path] | None = None,
        names: Callable[[], Names] = machine_names,
    ) -> WebCertificate:
        """The one in ``files`` (certificate, key) where given, else one for ``names()``, kept in ``directory``.

        ``seconds`` tells the time (Unix). Raises ``IdentityError`` where the files cannot be used.
        """
        if files is not None:
            return cls(OperatorFiles(*files, seconds), own=False)
        return cls(OwnCertificate(authority_directory(directory), authority, seconds, names), own=True)

    def credentials(self) -> Credentials:
        """What to show now: the same object until it changes: make a TLS context only then. Cheap to call."""
        return self._source.credentials()

    def pin(self) -> str:
        """What curl's ``--pinnedpubkey`` takes: it stays the same while the certificate is renewed for the same key."""
        return "sha256//" + base64.b64encode(key_of(self.credentials().chain[0])).decode()

    def fingerprint(self) -> str:
        """The SHA-256 of the certificate in hexadecimal, which people compare with what their browser shows."""
        return self.credentials().chain[0].fingerprint(hashes.SHA256()).hex()


class OwnCertificate:
    """A certificate for the machine's names, signed by the authority, renewed by itself, always for the same key.

    It is kept on disk, since a browser that was told to trust it asks again for each new one. For the same reason a
    name that vanished does not bring a new one about, while a name that appeared does.
    """

    _log = Logger()

    def __init__(
        self, place: Path, authority: Authority, seconds: Callable[[], float], names: Callable[[], Names]
    ) -> None:
        self._file = place / "web.pem"
        self._key = load_or_make_key(place / "web.key")
        self._authority = authority
        self._seconds = seconds
        self._names = names
        self._looked = seconds()
        self._wanted = self._names_now()
        kept = self._kept()
        self._credentials = self._issue() if kept is None or self._is_due(kept) else self._with_root(kept)

    def credentials(self) -> Credentials:
        """The certificate and its key. Looks at the clock each time, and at the machine's names once a minute."""
        now = self._seconds()
        if abs(now - self._looked) >= LOOK:
            self._looked = now
            self._wanted = self._names_now()
        if self._is_due(self._credentials.chain[0]):
            self._credentials = self._issue()
        return self._credentials

    def _names_now(self) -> Names:
        """The machine's names, but never the one that is for the devices' server alone."""
        return self._names() - {x509.DNSName(SERVER_NAME)}

    def _is_due(self, leaf: x509.Certificate) -> bool:
        return not is_fresh(leaf, self._seconds()) or not self._wanted.issubset(names_in(leaf))

    def _kept(self) -> x509.Certificate | None:
        """The certificate on disk, unless it is of no use: another one is made as easily."""
        try:
            leaf = x509.load_pem_x509_certificate(read_private(self._file) or b"")
            leaf.verify_directly_issued_by(self._authority.root)
        except (*UNREADABLE, InvalidSignature):
            return None
        return leaf if key_of(leaf) == hash_of_key(self._key.public_key()) else None

    def _issue(self) -> Credentials:
        leaf = self._authority.sign_web(self._key.public_key(), self._wanted, WEB_DAYS * DAY)
        try:
            write_private(self._file, leaf.public_bytes(serialization.Encoding.PEM))
        except IdentityError as error:  # such as a full disk: the certificate is good all the same
            self._log.warn("the web's new certificate is not kept: {reason}", reason=str(error))
        self._log.info("made a certificate for the web, good until {end:%Y-%m-%d}", end=leaf.not_valid_after_utc)
        return self._with_root(leaf)

    def _with_root(self, leaf: x509.Certificate) -> Credentials:
        return Credentials(self._key, (leaf, self._authority.root))
