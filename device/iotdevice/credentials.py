"""What a device proves itself with: the key that it made, its certificate, and the root that it trusts."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import (
    Certificate,
    CertificateSigningRequestBuilder,
    ExtensionNotFound,
    Name,
    SubjectAlternativeName,
    UniformResourceIdentifier,
    load_der_x509_certificate,
    load_pem_x509_certificates,
)

from iotcenter.wire.names import DEVICE_URI
from iotcenter.wire.udp.keys import KEY
from iotdevice.files import write_atomically

FILE = "identity.pem"
"""One file, so that the key and its certificate change together or not at all."""

UDP_KEY = "udp.key"
"""Where the device's key for UDP is kept, in hexadecimal digits: enrolling writes it."""

RENEW_AT = 2 / 3
"""How much of its life a certificate has behind it when a new one is asked for: a third is left for bad networks."""


class BadCredentials(Exception):
    """Credentials do not fit; the text says why, for the device's owner."""


@dataclass(frozen=True)
class Credentials:
    """A device's key and certificates. The key is never shown: it is left out of ``repr`` too."""

    key: EllipticCurvePrivateKey
    certificate: Certificate
    root: Certificate

    def __repr__(self) -> str:
        return f"Credentials(device={self.device})"

    @property
    def device(self) -> str:
        """The device's id, as its certificate has it."""
        device = _device(self.certificate)
        if device is None:
            raise BadCredentials("the certificate names no device")
        return device

    @property
    def starts(self) -> float:
        """When the certificate was made, in Unix seconds: it is never earlier than that."""
        return self.certificate.not_valid_before_utc.timestamp()

    @property
    def expires(self) -> float:
        """When the certificate ends, in Unix seconds."""
        return self.certificate.not_valid_after_utc.timestamp()

    @property
    def lifetime(self) -> float:
        """How many seconds the certificate was made for."""
        return self.expires - self.starts

    @property
    def due(self) -> float:
        """When to ask for a new certificate, in Unix seconds."""
        return self.expires - self.lifetime * (1 - RENEW_AT)

    def request(self) -> bytes:
        """The signing request (DER) for a certificate for the same key."""
        return signing_request(self.key)

    def renewed(self, der: bytes) -> Credentials:
        """These credentials with the new certificate ``der``, once it is known to be right. Raises
        ``BadCredentials``."""
        new = replace(self, certificate=load_certificate(der))
        new.check()
        if new.device != self.device:
            raise BadCredentials("the certificate is for another device")
        if new.expires <= self.expires:
            raise BadCredentials("the certificate ends no later than the one that this device has")
        return new

    def check(self) -> None:
        """Raise ``BadCredentials`` unless the certificate is for this key, from this root, for a device.

        When it is valid is the server's to judge: this machine's clock may be wrong.
        """
        if _public_bytes(self.certificate.public_key()) != _public_bytes(self.key.public_key()):
            raise BadCredentials("the certificate is for another key")
        try:
            self.certificate.verify_directly_issued_by(self.root)
        except (InvalidSignature, ValueError, TypeError):
            raise BadCredentials("the certificate was not signed by this device's root") from None
        if _device(self.certificate) is None:
            raise BadCredentials("the certificate names no device")


def new_key() -> EllipticCurvePrivateKey:
    """A key for this device, made here and never sent."""
    return generate_private_key(SECP256R1())


def signing_request(key: EllipticCurvePrivateKey) -> bytes:
    """A request (DER) for a certificate for ``key``. It bears no name: whose it becomes is the server's to say."""
    return CertificateSigningRequestBuilder(Name([])).sign(key, SHA256()).public_bytes(Encoding.DER)


def load_certificate(der: bytes) -> Certificate:
    """The certificate in ``der``. Raises ``BadCredentials``."""
    try:
        return load_der_x509_certificate(der)
    except ValueError:
        raise BadCredentials("the certificate does not decode") from None


def fingerprint(certificate: Certificate) -> bytes:
    """The SHA-256 of the certificate's DER form, by which an enrollment token knows the root."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()


def load_credentials(directory: Path) -> Credentials | None:
    """The credentials in ``directory``, None where the device is not enrolled. Raises ``BadCredentials`` for a damaged
    file."""
    try:
        pem = (directory / FILE).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadCredentials(f"{directory / FILE}: {error.strerror}") from None
    try:
        key = load_pem_private_key(pem, None)
        certificate, root = load_pem_x509_certificates(pem)
    except (ValueError, TypeError):
        raise BadCredentials(f"{directory / FILE} is damaged: enroll this device again, with --replace") from None
    if not isinstance(key, EllipticCurvePrivateKey):
        raise BadCredentials(f"{directory / FILE} holds no key that fits: enroll this device again, with --replace")
    return Credentials(key, certificate, root)


def save_credentials(directory: Path, credentials: Credentials) -> None:
    """Keep ``credentials`` in ``directory``, on disk when this returns, for this user's eyes only."""
    key = credentials.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem = [credentials.certificate.public_bytes(Encoding.PEM), credentials.root.public_bytes(Encoding.PEM)]
    write_atomically(directory / FILE, key + b"".join(pem), 0o600)


def _public_bytes(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined, no-any-return]


def _device(certificate: Certificate) -> str | None:
    try:
        names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    except (ExtensionNotFound, ValueError):
        return None
    for uri in names.get_values_for_type(UniformResourceIdentifier):
        if re.fullmatch(re.escape(DEVICE_URI) + "[0-9a-f]{32}", uri):
            return uri.removeprefix(DEVICE_URI)
    return None


def load_udp_key(directory: Path) -> bytes:
    """The key for UDP in ``directory``. Raises ``BadCredentials``."""
    file = directory / UDP_KEY
    try:
        text = file.read_text("ascii").strip()
    except FileNotFoundError:
        raise BadCredentials(f"{file} is missing: enroll this device again, with --replace, to use UDP") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadCredentials(f"{file}: {getattr(error, 'strerror', None) or 'it is damaged'}") from None
    if re.fullmatch(f"[0-9a-f]{{{2 * KEY}}}", text) is None:
        raise BadCredentials(f"{file} is damaged: enroll this device again, with --replace")
    return bytes.fromhex(text)
