"""A device's link over version 2: the center on one side, a session on the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from iotcenter.interfaces import Attachment, Refused, Traffic
from iotcenter.listening import plain_address
from iotcenter.model import Message
from iotcenter.wire.errors import WireError
from iotcenter.wire.messages import Ack, Close, CloseCode, Command, Hello, Renew, Result, ResultState, Welcome
from iotcenter.wire.udp.events import Cold, Delivered, Event, Listening, Malformed, Received, Undelivered
from iotcenter.wire.udp.server import ServerSession

if TYPE_CHECKING:
    from iotcenter.transports.udp import Datagrams


class UdpLink:
    """One device's link, for as long as its session lasts; the center sees it while the device can be reached."""

    transport = "udp"

    def __init__(self, datagrams: Datagrams, session: ServerSession) -> None:
        self.session = session
        self.device = session.device.hex()
        self._datagrams = datagrams
        self._house = datagrams.house
        self._attachment: Attachment | None = None
        self._name = ""
        self._met: Any = None
        self._timer: Any = None
        self._due: float | None = None
        self._sent = 0
        self._busy = False
        self._ended = False
        self._renewing = False
        self._returned: list[int] = []
        self._unwatch = self._house.accounts.watch(self.device, self._barred)
        self._handlers: dict[type, Callable[[Any], None]] = {
            Received: self._received,
            Delivered: self._delivered,
            Undelivered: self._undelivered,
            Listening: self._listening,
            Cold: lambda cold: self._detach(cold.reason),
            Malformed: lambda malformed: datagrams.complain(self.address, malformed.fault),
        }

    @property
    def address(self) -> str:
        """Where the device's packets come from."""
        return plain_address(str(self.session.address[0]))

    @property
    def heartbeat(self) -> float:
        """After how many seconds of silence the device shows itself; one that sleeps does when it likes."""
        return 0.0 if self.session.sleepy else self.session.interval

    @property
    def traffic(self) -> Traffic:
        """See ``iotcenter.interfaces.Metered``. What the addresses of datagrams and the handshake take is left out."""
        return Traffic(self.session.received, self._sent)

    def heard(self) -> Attachment | None:
        """An authentic record came: the center's side of the link, or None where the center refuses the device."""
        session = self.session
        if session.address is not self._met:
            self._met = session.address
            self._datagrams.met(session)
        if self._attachment is None:
            try:
                self._attach()
            except Refused as refusal:
                self._end(str(refusal), CloseCode.REFUSED)
        return self._attachment

    def arrived(self, events: list[Event]) -> None:
        """An authentic record came, with these events."""
        self._busy = True
        try:
            if self.heard() is None:
                return
            for event in events:
                self._handlers[type(event)](event)
        finally:
            self._busy = False
        self._flush()

    def send(self, message: Message) -> None:
        """See ``iotcenter.interfaces.Link``."""
        if type(message) is Ack and not (self._busy or self._ended):
            datagram = self.session.plain_ack(message)
            if datagram is not None:
                self._sent += len(datagram)
                self._datagrams.send(datagram, self.session.address)
                return
        if isinstance(message, Welcome):
            self._name = message.name
            return
        session, now = self.session, self._datagrams.now()
        if session.sleepy and isinstance(message, Command) and not session.answering:
            self._returned.append(message.id)
            self._give_back()
            return
        session.send(message, now)
        if self._busy:
            return
        if session.sleepy and isinstance(message, Ack) and session.answering and self._attachment is not None:
            self._busy = True
            self._attachment.listening()
            self._busy = False
        self._flush()

    def close(self, code: str, reason: str) -> None:
        """See ``iotcenter.interfaces.Link``."""
        self._end(reason, CloseCode(code))

    def replaced(self) -> None:
        """The device has begun another session: this one ends without a word."""
        self._forget()

    def stop(self) -> None:
        """The server stops. The device is not told: it will find the server again, and lose nothing."""
        self._detach("the server stops")
        self._forget()

    def look(self, now: float) -> None:
        """See whether the device should have been heard of."""
        if self.session.expired(now):
            self._end("its session has had its time", None)
        elif self.session.silent(now):
            cold = self.session.lose_sight(f"no sign of life for {now - self.session.heard:.0f} s")
            self._detach(cold.reason)

    def _attach(self) -> None:
        attachment = self._house.center.attach(self.device, self, None)
        self._attachment = attachment
        self._give_back()

    def _detach(self, reason: str) -> None:
        attachment, self._attachment = self._attachment, None
        self.session.received = self._sent = 0
        if attachment is not None:
            attachment.detached(reason)

    def _give_back(self) -> None:
        """What was sent to a sleeper that does not listen returns to the queue."""
        if self._attachment is not None and self._returned:
            returned, self._returned = self._returned, []
            self._attachment.undelivered(returned)

    def _received(self, event: Received) -> None:
        message = event.message
        if isinstance(message, Close):
            self.session.lose_sight("")
            self._detach(message.reason or "the device said goodbye")
            return
        if isinstance(message, Renew):
            self._renew(message)
            return
        if self._attachment is None:
            return
        try:
            self._attachment.received(message)
        except WireError as error:
            self._datagrams.complain(self.address, str(error))
        if isinstance(message, Hello):
            self.session.configure(self._name)

    def _renew(self, message: Renew) -> None:
        """The device has a certificate too, for its tunnels, and it comes to its end."""
        if self._renewing:
            return

        async def renew() -> None:
            try:
                certificate = await self._house.accounts.renew(self.device, message.request)
            finally:
                self._renewing = False
            self.send(Renew(certificate=certificate))

        self._renewing = True
        Deferred.fromCoroutine(renew()).addErrback(self._not_renewed)

    def _not_renewed(self, failure: Failure) -> None:
        if failure.check(Refused):
            self._datagrams.complain(self.address, f"refused: {failure.getErrorMessage()}")
        else:
            self._house.log.failure("A renewal of {address} failed", failure, address=self.address)

    def _delivered(self, event: Delivered) -> None:
        if self._attachment is not None:
            self._attachment.received(Result(event.command, ResultState.RECEIVED))

    def _undelivered(self, event: Undelivered) -> None:
        if self._attachment is not None:
            self._attachment.undelivered(event.commands)

    def _listening(self, event: Listening) -> None:
        if self._attachment is not None:
            self._attachment.listening()

    def _barred(self, reason: str) -> None:
        self._end(reason, CloseCode.REVOKED)

    def _end(self, reason: str, code: CloseCode | None) -> None:
        """End the session, with a last word where there is a ``code``."""
        if self._ended:
            return
        if code is not None:
            self.session.close(Close(code, reason[:200]))
            self._send()
        self._datagrams.ended(self)
        self._detach(reason)
        self._forget()

    def _forget(self) -> None:
        self._ended = True
        self._unwatch()
        self._cancel()

    def _send(self) -> None:
        session, send = self.session, self._datagrams.send
        for datagram in session.datagrams(self._datagrams.now()):
            self._sent += len(datagram)
            send(datagram, session.address)

    def _flush(self) -> None:
        """Send what is to be sent, and look again when it is time."""
        if self._ended or self._busy:
            return
        self._send()
        due = self.session.timer()
        if due != self._due:
            self._cancel()
            if due is not None:
                self._due = due
                self._timer = self._house.reactor.callLater(max(0.0, due - self._datagrams.now()), self._tick)

    def _tick(self) -> None:
        self._due = self._timer = None
        for event in self.session.tick(self._datagrams.now()):
            self._handlers[type(event)](event)
        self._flush()

    def _cancel(self) -> None:
        timer, self._timer, self._due = self._timer, None, None
        if timer is not None and timer.active():
            timer.cancel()
