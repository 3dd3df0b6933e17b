"""The TLS side of the TLS transport: what is shown to devices, and what is made of what they show.

Every fault of a certificate is noted while the handshake runs, and judged when it is complete: a refusal inside the
handshake would reach the device as "internal error", and one afterwards reaches it in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from iotcenter.identity.certificates import device_of, key_of
from iotcenter.identity.server_contexts import ServerContexts
from iotcenter.interfaces import Accounts, Authority, Refused
from iotcenter.model import DeviceId
from iotcenter.wire.names import ALPN_ENROLL, ALPN_LINK, ALPN_TUNNEL

NOT_YET_VALID = 9
EXPIRED = 10
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED. They go by the machine's clock, which may
not have been set yet: we judge by our own."""

FAULTS = {
    18: "the certificate is signed by itself",
    19: "the certificate comes from another authority",
    20: "the certificate comes from another authority",
    21: "the certificate comes from another authority",
    7: "the certificate's signature is wrong",
    24: "the certificate was signed by one that may not sign",
    25: "the certificate was signed by one that may not sign",
    26: "the certificate is not for a device",
    32: "the certificate was signed by one that may not sign",
    79: "the certificate was signed by one that may not sign",
}
"""What OpenSSL's verification errors (X509_V_ERR_...) mean for the owner of a device."""

MAX_DEPTH = 2
"""How many certificates may stand between a device's and the root: none do, and one is there to be named in the
refusal."""


class Barred(Refused):
    """The device may not come in before it is enrolled again: there is no hurry to try."""


class ServerConnection(SSL.Connection):
    """The server's side of one TLS connection.

    ``faults`` is what verification found wrong with the peer's certificate: OpenSSL's error and the depth in the chain,
    0 for the device's own.
    """

    def __init__(self, context: SSL.Context) -> None:
        super().__init__(context, None)
        self.faults: list[tuple[int, int]] = []


@dataclass(frozen=True, slots=True)
class Peer:
    """A device whose handshake is complete. One whose certificate has expired may renew it, and do nothing else.

    ``expires`` is when its certificate ends, in Unix seconds. The certificate itself is not kept: with each link it
    would take 2.5 kB.
    """

    device: DeviceId
    expires: float
    expired: bool


@implementer(IOpenSSLServerConnectionCreator)
class Handshakes:
    """Makes the server's side of each TLS connection: TLS 1.3, no session tickets, a certificate asked for."""

    def __init__(self, authority: Authority) -> None:
        self._root = authority.root
        self._contexts = ServerContexts(authority.server_credentials, SSL.TLS1_3_VERSION, self._prepare)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> ServerConnection:
        """See ``IOpenSSLServerConnectionCreator``."""
        return ServerConnection(self._contexts.context())

    def _prepare(self, context: SSL.Context) -> None:
        store = context.get_cert_store()
        assert store is not None
        store.add_cert(X509.from_cryptography(self._root))
        context.set_verify_depth(MAX_DEPTH)
        context.set_verify(SSL.VERIFY_PEER, _note)
        context.set_alpn_select_callback(_choose)


def _note(connection: SSL.Connection, certificate: object, error: int, depth: int, ok: int) -> bool:
    if not ok:
        assert isinstance(connection, ServerConnection)
        connection.faults.append((error, depth))
    return True


def _choose(connection: SSL.Connection, offered: list[bytes]) -> Any:
    for protocol in (ALPN_LINK, ALPN_TUNNEL, ALPN_ENROLL):
        if protocol in offered:
            return protocol
    return SSL.NO_OVERLAPPING_PROTOCOLS


def protocol_of(connection: SSL.Connection) -> bytes:
    """The protocol that both sides agreed on (ALPN), empty where they did not."""
    return connection.get_alpn_proto_negotiated()


def judge(connection: ServerConnection, accounts: Accounts, now: float) -> Peer:
    """Who is at the other end of a completed handshake. Raises ``Refused`` with the reason, for the device and the log.

    ``now`` is the time in Unix seconds. The allow-list is looked at here, each time: whatever TLS remembers of earlier
    connections counts for nothing.
    """
    certificate = connection.get_peer_certificate(as_cryptography=True)
    if certificate is None:
        raise Refused("the device shows no certificate")
    for error, _ in connection.faults:
        if error not in (NOT_YET_VALID, EXPIRED):
            raise Refused(FAULTS.get(error, f"the certificate is not valid (OpenSSL error {error})"))
    if now < certificate.not_valid_before_utc.timestamp():
        raise Refused("the certificate is not valid yet: is the clock right?")
    device = device_of(certificate)
    if device is None:
        raise Refused("the certificate names no device")
    try:
        accounts.check(device, key_of(certificate))
    except Refused as refusal:
        raise Barred(str(refusal)) from None
    expires = certificate.not_valid_after_utc.timestamp()
    return Peer(device, expires, now >= expires)
