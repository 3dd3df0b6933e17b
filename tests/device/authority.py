"""A small certificate authority, and certificates that are wrong in one way each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from iotcenter.wire.names import DEVICE_URI, SERVER_NAME
from iotdevice.credentials import Credentials, fingerprint

Key = ec.EllipticCurvePrivateKey

DEVICE = "0123456789abcdef" * 2
DAY = 86400.0


def new_key() -> Key:
    """A fresh key."""
    return ec.generate_private_key(ec.SECP256R1())


def now() -> float:
    """What time it is."""
    return datetime.now(UTC).timestamp()


@dataclass
class SmallAuthority:
    """Signs what a test asks it to."""

    name: str = "test root"
    key: Key = field(default_factory=new_key)

    def __post_init__(self) -> None:
        self.root = self._sign(self.key, self.name, [], now() - 365 * DAY, now() + 3650 * DAY, authority=True)

    @property
    def fingerprint(self) -> bytes:
        """What a token knows the root by."""
        return fingerprint(self.root)

    def server(self, key: Key, name: str = SERVER_NAME, ends: float = DAY, client: bool = False) -> x509.Certificate:
        """A server's certificate, for ``ends`` seconds."""
        names = [x509.DNSName(name)]
        return self._sign(key, "server", names, now() - 3600, now() + ends, client=client)

    def device(self, request: bytes, device: str = DEVICE, ends: float = DAY, starts: float = 60.0) -> bytes:
        """A device's certificate (DER), for what is asked for in ``request``."""
        csr = x509.load_der_x509_csr(request)
        assert csr.is_signature_valid
        names = [x509.UniformResourceIdentifier(DEVICE_URI + device)]
        signed = self._sign(csr.public_key(), "device", names, now() - starts, now() + ends, client=True)
        return signed.public_bytes(Encoding.DER)

    def credentials(self, ends: float = DAY, starts: float = 60.0) -> Credentials:
        """An enrolled device's."""
        key = new_key()
        unsigned = Credentials(key, self.root, self.root)
        der = self.device(unsigned.request(), ends=ends, starts=starts)
        return Credentials(key, x509.load_der_x509_certificate(der), self.root)

    def _sign(
        self,
        key: object,
        subject: str,
        names: list[x509.GeneralName] | list[x509.DNSName] | list[x509.UniformResourceIdentifier],
        start: float,
        end: float,
        authority: bool = False,
        client: bool = False,
    ) -> x509.Certificate:
        public = key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else key
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(self.name))
            .public_key(public)  # type: ignore[arg-type]
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.fromtimestamp(start, UTC))
            .not_valid_after(datetime.fromtimestamp(end, UTC) + timedelta(microseconds=1))
            .add_extension(x509.BasicConstraints(authority, 0 if authority else None), critical=True)
            .add_extension(_usage(authority), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)  # type: ignore[arg-type]
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if names:
            purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        return builder.sign(self.key, SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        key_encipherment=False,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
