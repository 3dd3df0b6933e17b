"""What a listener shows in TLS: one context for as long as its certificate is the same."""

from __future__ import annotations

from collections.abc import Callable

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from iotcenter.interfaces import Credentials

CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"
"""What programs of the last ten years have, for TLS 1.2; TLS 1.3 has its own."""

ADDED = SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE


@implementer(IOpenSSLServerConnectionCreator)
class ServerContexts:
    """Makes the server's side of each TLS connection. No session is ever resumed.

    ``credentials`` gives what to show now; ``oldest`` is the oldest version of TLS; ``prepare`` adds to a context what
    its port needs besides. A context cannot change once it was used, so another certificate has another one;
    connections that stand keep theirs.
    """

    def __init__(
        self,
        credentials: Callable[[], Credentials],
        oldest: int,
        prepare: Callable[[SSL.Context], None] = lambda _: None,
    ) -> None:
        self._credentials = credentials
        self._oldest = oldest
        self._prepare = prepare
        self._shown: Credentials | None = None
        self._context: SSL.Context | None = None

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """See ``IOpenSSLServerConnectionCreator``."""
        return SSL.Connection(self.context(), None)

    def context(self) -> SSL.Context:
        """The context for connections that begin now."""
        credentials = self._credentials()
        if self._context is None or credentials is not self._shown:
            self._context, self._shown = server_context(credentials, self._oldest), credentials
            self._prepare(self._context)
        return self._context


def server_context(credentials: Credentials, oldest: int) -> SSL.Context:
    """A context that shows ``credentials``, without tickets, a session cache, compression or renegotiation."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(oldest)
    context.set_cipher_list(CIPHERS)
    context.set_options(ADDED)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.use_certificate(credentials.chain[0])
    context.use_privatekey(credentials.key)
    for certificate in credentials.chain[1:]:
        context.add_extra_chain_cert(certificate)
    return context
