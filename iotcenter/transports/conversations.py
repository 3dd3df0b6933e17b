"""The conversations over TLS: a device's link, the enrollment of a new device, the renewal of an expired certificate,
and what begins a tunnel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from cryptography.x509 import load_der_x509_certificate
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from iotcenter.interfaces import Attachment, Refused, Traffic
from iotcenter.model import Message
from iotcenter.transports.handshake import Peer, ServerConnection, judge, protocol_of
from iotcenter.transports.tls_connection import Connection, Conversation
from iotcenter.transports.tunnel import TunnelConversation
from iotcenter.wire.errors import WireError
from iotcenter.wire.heartbeat import PATIENCE, Action, Heartbeat
from iotcenter.wire.messages import Close, CloseCode, Enroll, Enrolled, Hello, Ping, Pong, Renew
from iotcenter.wire.names import ALPN_ENROLL, ALPN_LINK, ALPN_TUNNEL

EXPIRED_GRACE = 60.0
"""Seconds that a link outlives its certificate: enough to renew it late, after a night without the server."""

DEVICE_FRAME = 256 * 1024
"""The longest frame of a device, which one link can make us keep at a time: 200 readings, the most that an agent puts
into a report, have 220 kB where all of them are the longest texts of the widest letters."""

WELL_FORMED_ENROLLMENT = 16 * 1024
"""The longest frame while a device enrolls: a certificate request has some 250 bytes."""

LATEST_TIMER = 3600.0
"""Seconds after which the certificate's end is looked at again: the wall clock may be set anew meanwhile."""


def begin(connection: Connection, tls: ServerConnection) -> Conversation:
    """The conversation that a completed handshake leads to. Raises ``Refused`` where it leads to none."""
    protocol = protocol_of(tls)
    if protocol == ALPN_ENROLL:
        return EnrollmentConversation(connection)
    if protocol not in (ALPN_LINK, ALPN_TUNNEL):
        raise Refused("no protocol was agreed on (ALPN)")
    peer = judge(tls, connection.house.accounts, connection.house.clock.seconds())
    if protocol == ALPN_TUNNEL:
        return TunnelConversation(connection, peer)
    return RenewalConversation(connection, peer) if peer.expired else LinkConversation(connection, peer)


class LinkConversation:
    """A device's link: the center's ``Link``, kept alive by heartbeats, ended when the device may no longer come in."""

    transport = "tls"

    def __init__(self, connection: Connection, peer: Peer) -> None:
        self._connection = connection
        self._peer = peer
        self._reactor = connection.house.reactor
        self._attachment: Attachment | None = None
        self._heartbeat = Heartbeat(connection.factory.heartbeat, self._reactor.seconds())
        self._timers: dict[str, Any] = {}
        self._unwatch = connection.house.accounts.watch(peer.device, self._barred)
        self._expires = peer.expires
        self._renewing = False

    @property
    def address(self) -> str:
        """Where the device's packets come from."""
        return self._connection.host

    @property
    def heartbeat(self) -> float:
        """The silence after which either end asks."""
        return self._heartbeat.interval

    @property
    def traffic(self) -> Traffic:
        """See ``iotcenter.interfaces.Metered``."""
        return Traffic(self._connection.received, self._connection.sent)

    def send(self, message: Message) -> None:
        """See ``iotcenter.interfaces.Link``."""
        self._connection.send(message)

    def close(self, code: str, reason: str) -> None:
        """See ``iotcenter.interfaces.Link``."""
        self._end(reason)
        self._connection.end(code, reason)

    def received(self, message: Any) -> None:
        """The device said something."""
        self._heartbeat.heard(self._reactor.seconds())
        kind = type(message)
        if kind is Ping:
            self.send(Pong())
        elif kind is Pong:
            pass
        elif kind is Close:
            self._connection.leave(message.reason or "the device closed the link")
        elif self._attachment is None:
            self._begin(message)
        elif kind is Renew:
            self._renew(message)
        else:
            self._attachment.received(message)

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        self._end(reason)

    def _reports(self, reports: Sequence[Any], bodies: Sequence[bytes]) -> None:
        self._heartbeat.heard(self._reactor.seconds())
        if self._attachment is not None:
            self._attachment.reports(reports, bodies)

    def _begin(self, message: Any) -> None:
        if not isinstance(message, Hello):
            raise WireError("a device's first message must be Hello")
        house = self._connection.house
        interval = max(self._connection.factory.heartbeat, message.heartbeat)
        self._heartbeat = Heartbeat(interval, self._reactor.seconds())
        self._connection.introduce(DEVICE_FRAME, self._reports)
        self._attachment = house.center.attach(self._peer.device, self, message)
        self._set("heartbeat", interval, self._beat)
        self._watch_expiry()

    def _beat(self) -> None:
        if not self._connection.reading:
            self._set("heartbeat", self._heartbeat.interval, self._beat_unread)
            return
        action, delay = self._heartbeat.check(self._reactor.seconds())
        if action is Action.GIVE_UP:
            self._vanished()
            return
        if action is Action.PING:
            self.send(Ping())
        self._set("heartbeat", delay, self._beat)

    def _beat_unread(self) -> None:
        """Nothing is read while the peer reads nothing: it gets one interval, then it counts as gone."""
        if not self._connection.reading:
            self._vanished()
            return
        self._heartbeat.heard(self._reactor.seconds())
        self._set("heartbeat", self._heartbeat.interval, self._beat)

    def _vanished(self) -> None:
        reason = f"no sign of life for {self._heartbeat.interval * PATIENCE:g} s"
        self._end(reason)
        self._connection.drop(reason)

    def _watch_expiry(self) -> None:
        left = self._expires + EXPIRED_GRACE - self._connection.house.clock.seconds()
        if left <= 0:
            self.close(CloseCode.EXPIRED, "the certificate has expired")
            return
        self._set("expiry", min(left, LATEST_TIMER), self._watch_expiry)

    def _renew(self, message: Renew) -> None:
        if self._renewing:
            raise WireError("a renewal is under way already")
        self._renewing = True
        _when_done(
            self._connection, self._connection.house.accounts.renew(self._peer.device, message.request), self._renewed
        )

    def _renewed(self, certificate: bytes) -> None:
        self._renewing = False
        self._expires = _end_of(certificate)
        self.send(Renew(certificate=certificate))
        if self._attachment is not None:
            self._watch_expiry()

    def _barred(self, reason: str) -> None:
        self.close(CloseCode.REVOKED, reason)

    def _set(self, name: str, delay: float, function: Callable[[], None]) -> None:
        timer = self._timers.get(name)
        if timer is not None and timer.active():
            timer.cancel()
        self._timers[name] = self._reactor.callLater(delay, function)

    def _end(self, reason: str) -> None:
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        self._timers.clear()
        self._unwatch()
        attachment, self._attachment = self._attachment, None
        if attachment is not None:
            attachment.detached(reason)


class RenewalConversation:
    """A device whose certificate has expired: it may renew it with the key on record, and do nothing else."""

    def __init__(self, connection: Connection, peer: Peer) -> None:
        self._connection = connection
        self._peer = peer
        self._asked = False

    def received(self, message: Any) -> None:
        """The device asks for its new certificate."""
        if not isinstance(message, Renew) or self._asked:
            self._connection.refuse(
                "the certificate has expired: all that it is good for is to be renewed", CloseCode.EXPIRED
            )
            return
        self._asked = True
        _when_done(
            self._connection, self._connection.house.accounts.renew(self._peer.device, message.request), self._renewed
        )

    def lost(self, reason: str) -> None:
        """Nothing to do."""

    def _renewed(self, certificate: bytes) -> None:
        self._connection.send(Renew(certificate=certificate))
        self._connection.house.log.info("{device} renewed its expired certificate", device=self._peer.device)
        self._connection.end(CloseCode.EXPIRED, "come again with the new certificate")


class EnrollmentConversation:
    """A new device shows the secret of its token, and gets its certificate."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._asked = False
        connection.reader.limit = WELL_FORMED_ENROLLMENT

    def received(self, message: Any) -> None:
        """The device shows its secret."""
        if not isinstance(message, Enroll) or self._asked:
            raise WireError("the one message of an enrollment is Enroll")
        self._asked = True
        enrolling = self._connection.house.accounts.enroll(message.secret, message.request, message.agent)
        _when_done(self._connection, enrolling, self._enrolled)

    def lost(self, reason: str) -> None:
        """Nothing to do."""

    def _enrolled(self, enrolled: Enrolled) -> None:
        self._connection.send(enrolled)
        self._connection.end(CloseCode.USED, "enrolled")


def _when_done(connection: Connection, work: Awaitable[Any], then: Callable[[Any], None]) -> None:
    """Call ``then`` with the outcome of ``work``; a refusal goes to the device, anything else to the log."""

    async def wait() -> Any:
        return await work

    def failed(failure: Failure) -> None:
        if failure.check(Refused):
            connection.refuse(failure.getErrorMessage())
            return
        connection.house.log.failure("A request of {address} failed", failure, address=connection.address)
        connection.end(CloseCode.REFUSED, "the server could not do that now: try again later")

    Deferred.fromCoroutine(wait()).addCallback(then).addErrback(failed)


def _end_of(certificate: bytes) -> float:
    return load_der_x509_certificate(certificate).not_valid_after_utc.timestamp()
