"""How a device joins: it makes its key, finds the server that its token is for, and gets its certificate."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.x509 import Certificate, DNSName
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionDone, DNSLookupError
from twisted.internet.interfaces import IHandshakeListener, IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from iotcenter.wire.codec import decode
from iotcenter.wire.errors import WireError
from iotcenter.wire.framing import FrameReader, frame
from iotcenter.wire.messages import Close, Enroll, Enrolled
from iotcenter.wire.names import SERVER_NAME
from iotcenter.wire.token import Token
from iotdevice import config
from iotdevice.config import Address, ConfigError, parse_address, with_server
from iotdevice.credentials import (
    UDP_KEY,
    BadCredentials,
    Credentials,
    fingerprint,
    load_certificate,
    new_key,
    save_credentials,
    signing_request,
)
from iotdevice.files import write_atomically
from iotdevice.timers import Timers
from iotdevice.tls import Handshakes, UntrustedServer, endpoint
from iotdevice.version import AGENT

WITHIN = 30.0
"""Seconds for the conversation: somebody is waiting."""

GOODBYE_WITHIN = 1.0
"""Seconds for the connection to close in good order."""

MAX_ANSWER = 64 * 1024
"""The longest frame that is taken from a server: its answer has some 2 kB."""

STARTER = """\
# The settings of this device's agent, which reads them when it starts.

# The application: a path, from this directory on. Without it: app.py in here, or the example that comes with the agent.
# app = "app.py"

# Seconds of silence on the link before one end asks the other. Raise it on a metered link; 0 is what the server has.
# heartbeat = 300

# Whether the example's command `reboot` may do what it says.
# allow_reboot = true

# [spool]            # where readings wait while there is no link
# sync = "always"    # bring each reading to disk at once; or the seconds of readings that a power cut may take (1)
# megabytes = 64
# days = 365
"""


class EnrollmentFailed(Exception):
    """The device was not enrolled; the text says why."""


async def enroll(reactor: Any, token: Token, directory: Path, wall: Callable[[], float] = time.time) -> Enrolled:
    """Join the center that ``token`` is for, and write down what the agent needs. Raises ``EnrollmentFailed``.

    The directory must be there, and locked by the caller.
    """
    key = new_key()
    try:
        server = parse_address(str(Address(token.host, token.port)))
        enrolled = await _ask(reactor, server, token, key, wall)
        credentials = Credentials(key, load_certificate(enrolled.certificate), load_certificate(enrolled.root))
        if fingerprint(credentials.root) != token.fingerprint:
            raise EnrollmentFailed(f"{server} answered with another root than its own")
        credentials.check()
    except BadCredentials as error:
        raise EnrollmentFailed(f"{server} answered with credentials that do not fit: {error}") from None
    except ConfigError:
        raise EnrollmentFailed("the token's address is damaged: copy the whole line again") from None
    try:
        _write(directory, server, credentials, enrolled.udp_key)
    except OSError as error:
        raise EnrollmentFailed(f"{directory} cannot be written: {error.strerror}") from None
    return enrolled


async def _ask(
    reactor: Any, server: Address, token: Token, key: EllipticCurvePrivateKey, wall: Callable[[], float]
) -> Enrolled:
    handshakes = Handshakes.for_enrollment()
    question = Enroll(token.secret, signing_request(key), AGENT)
    factory = Factory.forProtocol(lambda: Enrollment(reactor, handshakes, token.fingerprint, question, wall))
    factory.noisy = False
    try:
        conversation = await endpoint(reactor, server, handshakes).connect(factory)
    except (ConnectError, DNSLookupError) as error:
        raise EnrollmentFailed(f"{server} cannot be reached: {str(error).rstrip('.')}") from None
    assert isinstance(conversation, Enrollment)
    try:
        return await conversation.answer
    except EnrollmentFailed as error:
        raise EnrollmentFailed(f"{server}: {error}") from None


def _write(directory: Path, server: Address, credentials: Credentials, udp_key: bytes) -> None:
    """The credentials come last: with them the device is enrolled, and all else is there."""
    file = directory / config.FILE
    text = file.read_text("utf-8", "surrogateescape") if file.exists() else STARTER
    write_atomically(file, with_server(text, server).encode("utf-8", "surrogateescape"), 0o644)
    (directory / UDP_KEY).unlink(missing_ok=True)
    if udp_key:
        write_atomically(directory / UDP_KEY, udp_key.hex().encode(), 0o600)
    save_credentials(directory, credentials)


def trusted_root(chain: Sequence[Certificate], expected: bytes, now: float) -> Certificate:
    """The root in a server's ``chain`` that has the fingerprint ``expected``, if it vouches for the server. Raises
    ``UntrustedServer``."""
    roots = [certificate for certificate in chain if fingerprint(certificate) == expected]
    if not roots:
        raise UntrustedServer("this is not the server that the token is for")
    moment = datetime.fromtimestamp(now, UTC)
    verifier = PolicyBuilder().store(Store(roots)).time(moment).build_server_verifier(DNSName(SERVER_NAME))
    try:
        verifier.verify(chain[0], [])
    except (VerificationError, ValueError):
        raise UntrustedServer(
            f"its certificate is not right, or the clock of this machine is not: it says {moment:%Y-%m-%d %H:%M} UTC"
        ) from None
    return roots[0]


@implementer(IHandshakeListener)
class Enrollment(Protocol):
    """The conversation: one question, which holds the token's secret, and one answer. Nothing is said before the server
    is known."""

    def __init__(
        self, clock: IReactorTime, handshakes: Handshakes, expected: bytes, question: Enroll, wall: Callable[[], float]
    ) -> None:
        self.answer: Deferred[Enrolled] = Deferred()
        """Fires when the connection is closed; with ``EnrollmentFailed`` where there is no answer."""
        self._handshakes = handshakes
        self._expected = expected
        self._question = question
        self._wall = wall
        self._timers = Timers(clock)
        self._reader = FrameReader(MAX_ANSWER)
        self._outcome: Enrolled | EnrollmentFailed | None = None

    def connectionMade(self) -> None:
        """TCP stands."""
        self._timers.within(WITHIN, self._late)

    def handshakeCompleted(self) -> None:
        """TLS stands: see who it is, and only then show the secret."""
        connection: SSL.Connection = self._transport.getHandle()
        try:
            self._handshakes.check_protocol(connection)
            trusted_root(connection.get_peer_cert_chain(as_cryptography=True) or [], self._expected, self._wall())
        except UntrustedServer as error:
            self._end(EnrollmentFailed(str(error)))
        else:
            self._transport.write(frame(self._question))

    def dataReceived(self, data: bytes) -> None:
        """The answer, or a part of it."""
        try:
            for body in self._reader.receive(data):
                self._received(decode(body))
        except WireError as error:
            self._end(EnrollmentFailed(f"the server broke the protocol: {error}"))

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        """The connection is closed."""
        self._timers.close()
        outcome = self._outcome or EnrollmentFailed(self._handshakes.words_for(reason))
        if isinstance(outcome, EnrollmentFailed):
            self.answer.errback(outcome)
        else:
            self.answer.callback(outcome)

    @property
    def _transport(self) -> Any:
        return self.transport

    def _received(self, message: object) -> None:
        if isinstance(message, Enrolled):
            self._end(message)
        elif isinstance(message, Close):
            self._end(EnrollmentFailed(message.reason or f"the server refused ({message.code})"))
        else:
            raise WireError(f"a server does not answer with {type(message).__name__}")

    def _late(self) -> None:
        self._end(EnrollmentFailed(f"no answer within {WITHIN:g} s"))

    def _end(self, outcome: Enrolled | EnrollmentFailed) -> None:
        if self._outcome is None:
            self._outcome = outcome
            self._timers.clear()
            self._timers.within(GOODBYE_WITHIN, self._transport.abortConnection)
            self._transport.loseConnection()
