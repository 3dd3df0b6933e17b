"""The authority: the root key that vouches for the server, its devices and its web pages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.logger import Logger

from iotcenter.identity.certificates import (
    DAY,
    UNREADABLE,
    Issuer,
    device_of,
    hash_of_key,
    is_fresh,
    key_of,
    make_root,
    new_key,
    read_request,
)
from iotcenter.identity.errors import IdentityError
from iotcenter.identity.private_files import make_private_directory, read_private, write_private
from iotcenter.interfaces import Credentials
from iotcenter.model import DeviceId

__all__ = ["Authority", "device_of", "key_of"]

DEVICE_DAYS = 90.0
"""How long a device's certificate lives. It renews it by itself; after a longer absence it may do that alone."""

SERVER_DAYS = 90.0
"""How long the certificate lives that the server shows its devices; its key lives only as long, and never on disk."""

_log = Logger()


class Authority:
    """Signs with the root key, and gives that key to nobody.

    ``Authority.open`` is the way to one. Fits ``iotcenter.interfaces.Authority``.
    """

    def __init__(self, issuer: Issuer, seconds: Callable[[], float], device_days: float = DEVICE_DAYS) -> None:
        self.root = issuer.root
        self._issuer = issuer
        self._seconds = seconds
        self._device_lifetime = device_days * DAY
        self._server: Credentials | None = None

    @classmethod
    def open(cls, directory: Path, seconds: Callable[[], float], device_days: float = DEVICE_DAYS) -> Authority:
        """The authority of the data directory ``directory``, which is made at first start.

        ``seconds`` tells the time (Unix). What a start that was killed left undone is done now.
        Raises ``IdentityError`` where its files cannot be used.
        """
        place = authority_directory(directory)
        key_file, root_file = place / "root.key", place / "root.pem"
        root_text = read_private(root_file)
        if root_text is not None and not key_file.exists():
            raise IdentityError(f"{key_file} is missing: bring it back from a backup, as all devices depend on it")
        key = load_or_make_key(key_file)
        if root_text is None:
            root_text = make_root(key).public_bytes(serialization.Encoding.PEM)
            write_private(root_file, root_text)
        return cls(Issuer(key, _parse_root(root_file, root_text, key)), seconds, device_days)

    @property
    def fingerprint(self) -> bytes:
        """The SHA-256 of the root's DER form, by which enrollment tokens name it."""
        return hashlib.sha256(self.root.public_bytes(serialization.Encoding.DER)).digest()

    def server_credentials(self) -> Credentials:
        """What the server shows its devices now: the same object until two thirds of its life are over, then a new one.

        The root comes along, since a device that enrolls knows nothing but the root's fingerprint.
        """
        now = self._seconds()
        if self._server is None or not is_fresh(self._server.chain[0], now):
            key = new_key()
            leaf = self._issuer.server(key.public_key(), now, SERVER_DAYS * DAY)
            self._server = Credentials(key, (leaf, self.root))
        return self._server

    def sign_device(self, request: bytes, device: DeviceId) -> tuple[bytes, float]:
        """A certificate (DER) for ``device`` and the key in its certificate request (DER), and when it expires.

        Nothing else of the request counts. Raises ``Refused`` unless it is for a P-256 key and signed with that.
        """
        leaf = self._issuer.device(read_request(request), device, self._seconds(), self._device_lifetime)
        return leaf.public_bytes(serialization.Encoding.DER), leaf.not_valid_after_utc.timestamp()

    def derived_key(self, purpose: bytes) -> bytes:
        """A key of 32 bytes that comes of the root's and is good for ``purpose`` alone: the same at each start."""
        return self._issuer.derived_key(purpose)

    def sign_web(
        self, key: ec.EllipticCurvePublicKey, names: Iterable[x509.GeneralName], lifetime: float
    ) -> x509.Certificate:
        """A certificate for the machine's own web pages, for ``lifetime`` seconds from now."""
        return self._issuer.web(key, names, self._seconds(), lifetime)


def authority_directory(directory: Path) -> Path:
    """Where in the data directory the authority keeps its files; made where it is missing."""
    place = directory / "authority"
    make_private_directory(place)
    return place


def load_or_make_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The P-256 key in ``path``, made where there is none. Raises ``IdentityError`` for anything else there."""
    text = read_private(path)
    if text is None:
        key = new_key()
        write_private(path, _key_text(key))
        _log.info("made the key {path}", path=path)
        return key
    try:
        found = serialization.load_pem_private_key(text, password=None)
    except UNREADABLE as error:
        raise IdentityError(f"{path} is damaged: bring it back from a backup") from error
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise IdentityError(f"{path} holds another kind of key: it must be a P-256 key")
    return found


def _key_text(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _parse_root(path: Path, text: bytes, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    try:
        root = x509.load_pem_x509_certificate(text)
    except UNREADABLE as error:
        raise IdentityError(f"{path} is damaged: bring it back from a backup") from error
    if key_of(root) != hash_of_key(key.public_key()):
        raise IdentityError(f"{path} is not for the key beside it: bring both back from one backup")
    return root
