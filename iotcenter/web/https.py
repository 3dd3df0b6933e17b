"""The TLS side of the HTTPS door."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL

from iotcenter.identity.server_contexts import ServerContexts
from iotcenter.identity.web_certificate import WebCertificate


def web_contexts(certificate: WebCertificate) -> ServerContexts:
    """The server's side of HTTPS: TLS 1.2 or 1.3, and HTTP/1.1."""
    return ServerContexts(lambda: certificate.credentials(), SSL.TLS1_2_VERSION, _choose_http)


def _choose_http(context: SSL.Context) -> None:
    context.set_alpn_select_callback(_choose)


def _choose(connection: SSL.Connection, offered: list[bytes]) -> Any:
    """HTTP/1.1, which those who offer something else speak too."""
    return b"http/1.1" if b"http/1.1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS
