"""The TLS side of the HTTPS door."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from iotcenter.identity.web_certificate import WebCertificate
from iotcenter.interfaces import Credentials

CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"
"""What browsers of the last ten years have, for TLS 1.2; TLS 1.3 has its own."""


@implementer(IOpenSSLServerConnectionCreator)
class Handshakes:
    """Makes the server's side of each TLS connection: TLS 1.2 or 1.3, HTTP/1.1, no session tickets.

    A context is made anew when the certificate changes; connections that stand keep theirs.
    """

    def __init__(self, certificate: WebCertificate) -> None:
        self._certificate = certificate
        self._shown: Credentials | None = None
        self._context: SSL.Context | None = None

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """See ``IOpenSSLServerConnectionCreator``."""
        credentials = self._certificate.credentials()
        if self._context is None or credentials is not self._shown:
            self._context, self._shown = _context(credentials), credentials
        return SSL.Connection(self._context, None)


def _context(credentials: Credentials) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS)
    context.set_options(
        SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE
    )
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.use_certificate(credentials.chain[0])
    context.use_privatekey(credentials.key)
    for certificate in credentials.chain[1:]:
        context.add_extra_chain_cert(certificate)
    context.set_alpn_select_callback(_choose)
    return context


def _choose(connection: SSL.Connection, offered: list[bytes]) -> Any:
    """HTTP/1.1, which those who offer something else speak too."""
    return b"http/1.1" if b"http/1.1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS
