"""Certificates that no authority of ours would sign, and some that it would at another time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from iotcenter.wire.names import DEVICE_URI
from tests.transports.support import Key

DAY = timedelta(days=1)


@dataclass
class Plan:
    """What the certificate shall say; by itself, what an honest one does."""

    device: str
    starts: timedelta = -DAY
    ends: timedelta = DAY
    purpose: ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH
    signs_data: bool = True
    authority: bool = False


def root_key(directory: Path) -> Key:
    """The private key of the authority in the data directory ``directory``."""
    key = load_pem_private_key((directory / "authority" / "root.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def forge(key: Key, plan: Plan, issuer_key: Key, issuer: x509.Certificate | None = None) -> x509.Certificate:
    """A certificate for ``key`` that says what ``plan`` says, signed with ``issuer_key``."""
    now = datetime.now(UTC)
    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, key_of_public(key))])
    return (
        x509.CertificateBuilder()
        .subject_name(own_name)
        .issuer_name(issuer.subject if issuer is not None else own_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + plan.starts)
        .not_valid_after(now + plan.ends)
        .add_extension(x509.BasicConstraints(plan.authority, None), critical=True)
        .add_extension(_usage(plan), critical=True)
        .add_extension(x509.ExtendedKeyUsage([plan.purpose]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(DEVICE_URI + plan.device)]), critical=False
        )
        .sign(issuer_key, SHA256())
    )


def key_of_public(key: Key) -> str:
    """A name of the key's own, so that no two forgeries look like one another's issuers."""
    return f"{key.public_key().public_numbers().x:x}"[:32]


def _usage(plan: Plan) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=plan.signs_data,
        key_cert_sign=plan.authority,
        key_encipherment=not plan.signs_data,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
