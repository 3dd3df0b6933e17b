"""Which server is the right one over TLS: the one that the center's own authority vouches for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from cryptography.x509 import Certificate, load_pem_x509_certificate
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from iotcenter.wire.names import SERVER_NAME
from iotdevice.credentials import fingerprint
from iotdevice.enrollment import trusted_root
from iotdevice.registrar.arguments import WHERE
from iotdevice.tls import UntrustedServer

NONE_GIVEN = f"how shall the server be known? Give --fingerprint or --root: {WHERE}. For clear text give --plain"


MAX_FILE = 256 * 1024
"""Bytes that are read of a certificate, which is a few kilobytes."""


class BadTrust(Exception):
    """What was given is no fingerprint and no certificate; the text says why."""


def read_fingerprint(text: str) -> bytes:
    """A fingerprint as people copy it: 64 hexadecimal digits, with colons between or without. Raises ``BadTrust``."""
    digits = re.sub(r"[:\s]", "", text)
    if re.fullmatch("[0-9a-fA-F]{64}", digits) is None:
        raise BadTrust(f"a fingerprint has 64 hexadecimal digits: {WHERE}")
    return bytes.fromhex(digits)


def read_root(file: Path) -> bytes:
    """The fingerprint of the certificate (PEM) in ``file``. Raises ``BadTrust``."""
    try:
        with file.open("rb") as opened:
            return fingerprint(load_pem_x509_certificate(opened.read(MAX_FILE)))
    except OSError as error:
        raise BadTrust(f"{file} cannot be read: {error.strerror}") from None
    except ValueError:
        raise BadTrust(f"{file} holds no certificate in PEM") from None


def check(chain: Sequence[Certificate], expected: bytes, now: float) -> None:
    """Raise ``UntrustedServer`` unless the root with the fingerprint ``expected`` vouches for a server's ``chain``."""
    if all(fingerprint(certificate) != expected for certificate in chain):
        raise UntrustedServer("another authority than the expected one vouches for it")
    trusted_root(chain, expected, now)


@implementer(IOpenSSLClientConnectionCreator)
class Handshakes:
    """Makes the client's side of TLS. Any server is accepted for now: ``check`` is for when the handshake is done."""

    def __init__(self) -> None:
        self._context = context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_verify(SSL.VERIFY_NONE)

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """See ``IOpenSSLClientConnectionCreator``."""
        connection = SSL.Connection(self._context, None)
        connection.set_tlsext_host_name(SERVER_NAME.encode())
        return connection
