"""The device's side of TLS: who it trusts, and what it shows."""

from __future__ import annotations

from cryptography.x509 import Certificate
from OpenSSL import SSL
from OpenSSL.crypto import X509
from service_identity import VerificationError
from service_identity.cryptography import verify_certificate_hostname
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from iotcenter.wire.names import ALPN_ENROLL, ALPN_LINK, ALPN_TUNNEL, SERVER_NAME
from iotdevice.config import Address
from iotdevice.credentials import Credentials

CONNECT_WITHIN = 30.0
"""Seconds for a TCP connection, over all addresses that the server's name has."""

STRANGER = "it is not an IotCenter for devices: is the port right?"

NOT_YET_VALID = 9
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID."""

FAULTS = {
    NOT_YET_VALID: "its certificate is not valid yet: is this machine's clock right?",
    10: "its certificate has expired, or this machine's clock is wrong",
    18: "its certificate comes from another authority: this is not the server that enrolled this device",
    19: "its certificate comes from another authority: this is not the server that enrolled this device",
    20: "its certificate comes from another authority: this is not the server that enrolled this device",
    26: "its certificate is not a server's",
}
"""What OpenSSL's verification errors (X509_V_ERR_...) mean for the owner of a device."""


class UntrustedServer(Exception):
    """The other end is not the server that this device trusts; the text says why."""


@implementer(IOpenSSLClientConnectionCreator)
class Handshakes:
    """Makes the device's side of each TLS connection: TLS 1.3 with one protocol (ALPN), and no session is ever
    resumed."""

    def __init__(self, protocol: bytes, behind: bool = False) -> None:
        """``behind`` says that this machine's clock is known to be too early, so that nothing is judged not to be valid
        yet."""
        self.protocol = protocol
        self._behind = behind
        self.fault = ""
        """What verification found wrong with the server; empty while nothing is."""
        self._context = context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_alpn_protos([protocol])

    @classmethod
    def for_link(cls, credentials: Credentials, now: float) -> Handshakes:
        """Show the device's certificate, and accept only a server that its root vouches for.

        ``now`` is what the wall clock says. Where that is before the device's own certificate was made, it was not set
        yet, as on a board without a battery: the device would otherwise wait for the time to be there.
        """
        return cls._for_device(credentials, now, ALPN_LINK)

    @classmethod
    def for_tunnel(cls, credentials: Credentials, now: float) -> Handshakes:
        """As for a link, for the connection of one tunnel."""
        return cls._for_device(credentials, now, ALPN_TUNNEL)

    @classmethod
    def _for_device(cls, credentials: Credentials, now: float, protocol: bytes) -> Handshakes:
        handshakes = cls(protocol, behind=now < credentials.starts)
        context = handshakes._context
        context.use_certificate(credentials.certificate)
        context.use_privatekey(credentials.key)
        store = context.get_cert_store()
        assert store is not None
        store.add_cert(X509.from_cryptography(credentials.root))
        context.set_verify(SSL.VERIFY_PEER, handshakes._verified)
        return handshakes

    @classmethod
    def for_enrollment(cls) -> Handshakes:
        """Show nothing, and accept any server for now: the root is not known before the handshake is complete."""
        handshakes = cls(ALPN_ENROLL)
        handshakes._context.set_verify(SSL.VERIFY_NONE)
        return handshakes

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """See ``IOpenSSLClientConnectionCreator``."""
        connection = SSL.Connection(self._context, None)
        connection.set_tlsext_host_name(SERVER_NAME.encode())
        return connection

    def check_protocol(self, connection: SSL.Connection) -> None:
        """Raise ``UntrustedServer`` where the completed handshake did not agree on the protocol."""
        if connection.get_alpn_proto_negotiated() != self.protocol:
            raise UntrustedServer(STRANGER)

    def words_for(self, reason: Failure) -> str:
        """Why a connection ended, for the device's owner."""
        if self.fault:
            return f"the server cannot be trusted: {self.fault}"
        if isinstance(reason.value, SSL.Error):
            complaints = reason.value.args[0] if reason.value.args else ()
            complaint = complaints[0][-1] if complaints else "the connection was cut"
            return STRANGER if "no application protocol" in complaint else f"TLS failed: {complaint}"
        return str(reason.getErrorMessage()).rstrip(".")

    def _verified(self, connection: SSL.Connection, certificate: object, error: int, depth: int, ok: int) -> bool:
        if self._behind and error == NOT_YET_VALID:
            return True
        if not ok and not self.fault:
            self.fault = FAULTS.get(error, f"its certificate is not valid (OpenSSL error {error})")
        return bool(ok)


def check_name(certificate: Certificate | None) -> None:
    """Raise ``UntrustedServer`` unless ``certificate`` bears the one name that every server has towards its devices."""
    try:
        if certificate is None:
            raise UntrustedServer("it shows no certificate")
        verify_certificate_hostname(certificate, SERVER_NAME)
    except VerificationError:
        raise UntrustedServer(f"its certificate is not for {SERVER_NAME}") from None


def endpoint(reactor: object, server: Address, handshakes: Handshakes) -> IStreamClientEndpoint:
    """The way to ``server``, by whichever of its addresses answers first."""
    plain = HostnameEndpoint(reactor, server.host, server.port, timeout=CONNECT_WITHIN)
    return wrapClientTLS(handshakes, plain)
