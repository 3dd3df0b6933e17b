"""Making and reading X.509 certificates: what stands in each kind that the authority signs.

Each starts a little before it was issued, for clocks that lag, but by no more than a twentieth of its life. So the
time to renew, two thirds of the way from its first date to its last, can be told from the certificate alone, and is
right even for one that lives for 20 seconds.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from iotcenter.interfaces import Refused
from iotcenter.model import DeviceId
from iotcenter.wire.names import DEVICE_URI, SERVER_NAME

DAY = 86400.0

MAX_REQUEST = 2048
"""The longest certificate request that is looked at, in bytes: one for a P-256 key has some 250."""

LAG = 300.0
"""How far a peer's clock may lag behind ours, in seconds, before a new certificate looks not yet valid to it."""

ROOT_START = datetime(2020, 1, 1, tzinfo=UTC)
ROOT_END = datetime(2070, 1, 1, tzinfo=UTC)
"""A root's life does not depend on the clock: a board that makes it while it believes in 1970 is right later."""

UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)
"""What ``cryptography`` raises for keys and certificates that it cannot read."""

CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh private key for a certificate of ours."""
    return ec.generate_private_key(ec.SECP256R1())


def key_of(holder: x509.Certificate | x509.CertificateSigningRequest) -> bytes:
    """What a public key is known by: the SHA-256 of its SubjectPublicKeyInfo in DER."""
    return hash_of_key(holder.public_key())


def hash_of_key(key: CertificatePublicKeyTypes) -> bytes:
    """The same for a key that stands alone."""
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(encoded).digest()


def device_of(certificate: x509.Certificate) -> DeviceId | None:
    """The device that ``certificate`` was made for, or ``None`` where it is not a device's.

    Only for a certificate that was verified against the root: any other may claim what it likes.
    """
    match names_in(certificate):
        case [x509.UniformResourceIdentifier(value=uri)]:
            found = re.fullmatch(re.escape(DEVICE_URI) + "([0-9a-f]{32})", uri)
            return found[1] if found else None
        case _:
            return None


def names_in(certificate: x509.Certificate) -> list[x509.GeneralName]:
    """The subject's alternative names in ``certificate``; none where they cannot be read."""
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return []


def renewal_time(certificate: x509.Certificate) -> float:
    """When to ask for the next one: after two thirds of the life of ``certificate``."""
    start = certificate.not_valid_before_utc.timestamp()
    end = certificate.not_valid_after_utc.timestamp()
    return start + (end - start) * 2 / 3


def is_fresh(certificate: x509.Certificate, now: float) -> bool:
    """Whether ``certificate`` can be shown now and need not be renewed yet.

    One from the future is not fresh: the clock was wrong when it was made.
    """
    return certificate.not_valid_before_utc.timestamp() <= now < renewal_time(certificate)


def read_request(request: bytes) -> ec.EllipticCurvePublicKey:
    """The key that the certificate request (PKCS #10, DER) is for, and nothing else of it.

    Raises ``Refused`` unless it is a P-256 key and whoever made the request holds its private half.
    """
    if len(request) > MAX_REQUEST:
        raise Refused(f"the certificate request is too long: {MAX_REQUEST} bytes are allowed")
    try:
        parsed = x509.load_der_x509_csr(request)
        key = parsed.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise Refused("the certificate request is for another kind of key: it must be for a P-256 key")
        signed = parsed.is_signature_valid
    except UNREADABLE:
        raise Refused("that is not a certificate request") from None
    if not signed:
        raise Refused("the certificate request is not signed with its own key")
    return key


def key_of_request(request: bytes) -> bytes:
    """What the key in a certificate request is known by. Raises ``Refused`` as ``read_request`` does."""
    return hash_of_key(read_request(request))


def make_root(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """The authority's own certificate. Its name tells roots apart in a browser's list, and nothing of the machine."""
    name = _name(f"IotCenter root {hash_of_key(key.public_key()).hex()[:8]}")
    return (
        x509.CertificateBuilder(issuer_name=name, subject_name=name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ROOT_START)
        .not_valid_after(ROOT_END)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(sign_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


class Issuer:
    """A root with its private key: signs the leaves."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, root: x509.Certificate) -> None:
        self._key = key
        self.root = root

    def derived_key(self, purpose: bytes) -> bytes:
        """A key of 32 bytes that comes of the private key (HKDF, RFC 5869), and tells nothing of it."""
        form = serialization.PrivateFormat.PKCS8
        secret = self._key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())
        return HKDF(hashes.SHA256(), 32, None, purpose).derive(secret)

    def device(self, key: ec.EllipticCurvePublicKey, device: DeviceId, now: float, lifetime: float) -> x509.Certificate:
        """A certificate by which ``device`` shows who it is: a client's, with its id as a URI and no other name."""
        names = [x509.UniformResourceIdentifier(DEVICE_URI + device)]
        return self._leaf(key, "IotCenter device", names, CLIENT, now, lifetime)

    def server(self, key: ec.EllipticCurvePublicKey, now: float, lifetime: float) -> x509.Certificate:
        """A certificate by which devices know their server."""
        return self._leaf(key, "IotCenter server", [x509.DNSName(SERVER_NAME)], SERVER, now, lifetime)

    def web(
        self, key: ec.EllipticCurvePublicKey, names: Iterable[x509.GeneralName], now: float, lifetime: float
    ) -> x509.Certificate:
        """A certificate for browsers. ``names`` must not hold the one by which devices know their server."""
        names = list(names)
        if x509.DNSName(SERVER_NAME) in names:
            raise ValueError(f"a certificate for the web must not be for {SERVER_NAME}")
        return self._leaf(key, "IotCenter web", names, SERVER, now, lifetime)

    def _leaf(
        self,
        key: ec.EllipticCurvePublicKey,
        subject: str,
        names: Iterable[x509.GeneralName],
        purpose: ObjectIdentifier,
        now: float,
        lifetime: float,
    ) -> x509.Certificate:
        start, end = now - min(LAG, lifetime / 20), now + lifetime
        issuer_key = self.root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return (
            x509.CertificateBuilder(issuer_name=self.root.subject, subject_name=_name(subject))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.fromtimestamp(math.floor(start), UTC))
            .not_valid_after(datetime.fromtimestamp(math.ceil(end), UTC))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _key_usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
