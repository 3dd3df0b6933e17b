"""What a device and its server say to each other over one link: messages in, messages out, without sockets and
timers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

from iotcenter.model import Message
from iotcenter.wire.errors import WireError
from iotcenter.wire.heartbeat import DEFAULT_INTERVAL, MAX_INTERVAL, PATIENCE, Action, Heartbeat
from iotcenter.wire.messages import Close, CloseCode, Hello, Ping, Pong, Renew, Welcome
from iotdevice.channel import Channel, Speaker

WELCOME_WITHIN = 15.0
"""Seconds from the TLS handshake to the server's first word: a device is connected only then."""

MIN_INTERVAL = 0.1
"""The shortest heartbeat that a server may set: shorter ones would be all that a link is good for."""


class Phase(Enum):
    """How far a conversation is."""

    GREETING = "it has not welcomed the device"
    RENEWING = "all that it is asked for is a certificate"
    OPEN = "it has taken the device in"
    ENDED = "all is said"


class Ended(Exception):
    """The conversation is over: the text says why, and ``code`` for the program, where there is one."""

    def __init__(self, reason: str, code: CloseCode | None = None) -> None:
        super().__init__(reason)
        self.code = code


Handlers = Mapping[type[Message], Callable[[Any], None]]
"""Who takes which type of message."""


class Conversation:
    """One link's talk, from the TLS handshake on. ``receive`` and ``check`` raise ``Ended`` when it is over; then
    ``end`` is called.

    ``speakers`` have something to say while the link is open, ``handlers`` take what it brings.
    """

    def __init__(
        self, channel: Channel, speakers: Sequence[Speaker], handlers: Handlers, seconds: Callable[[], float]
    ) -> None:
        self.phase = Phase.GREETING
        self.opened: float | None = None
        """When the server took the device in, on the clock ``seconds``."""
        self._channel = channel
        self._speakers = speakers
        self._seconds = seconds
        self._deadline = 0.0
        self._heartbeat: Heartbeat | None = None
        closing: Handlers = {Close: self._closed}
        own: Handlers = {Welcome: self._nothing, Ping: self._ping, Pong: self._nothing}
        self._table: dict[Phase, Handlers] = {
            Phase.GREETING: {Welcome: self._welcomed, **closing},
            Phase.RENEWING: {Renew: self._renewed, **closing},
            Phase.OPEN: {**handlers, **own, **closing},
            Phase.ENDED: {},
        }
        self._handlers = handlers

    def begin(self, first: Hello | Renew) -> None:
        """TLS stands. ``first`` is ``Renew`` where the certificate has expired."""
        self.phase = Phase.RENEWING if isinstance(first, Renew) else Phase.GREETING
        self._deadline = self._seconds() + WELCOME_WITHIN
        self._channel.send(first)

    def receive(self, message: Any) -> None:
        """The server said ``message``. Raises ``WireError`` where it has no business to."""
        if self._heartbeat is not None:
            self._heartbeat.heard(self._seconds())
        handler = self._table[self.phase].get(type(message))
        if handler is None:
            raise WireError(f"a server does not say {type(message).__name__} when {self.phase.value}")
        handler(message)

    def check(self) -> float:
        """Look whether the server is still there; the answer is after how many seconds to look again."""
        now = self._seconds()
        if self._heartbeat is None:
            if now >= self._deadline:
                raise Ended(f"the server did not answer within {WELCOME_WITHIN:g} s")
            return self._deadline - now
        action, delay = self._heartbeat.check(now)
        if action is Action.GIVE_UP:
            raise Ended(
                f"no sign of life from the server for {self._heartbeat.interval * PATIENCE:g} s", CloseCode.SILENT
            )
        if action is Action.PING:
            self._channel.send(Ping())
        return delay

    def writable(self) -> None:
        """The link takes more again."""
        if self.phase is Phase.OPEN:
            for speaker in self._speakers:
                speaker.writable()

    def end(self) -> None:
        """The link is gone, or is about to be. May be called again."""
        phase, self.phase = self.phase, Phase.ENDED
        if phase is Phase.OPEN:
            for speaker in self._speakers:
                speaker.disconnected()

    def _welcomed(self, welcome: Welcome) -> None:
        interval = min(max(welcome.heartbeat or DEFAULT_INTERVAL, MIN_INTERVAL), MAX_INTERVAL)
        self.opened = self._seconds()
        self._heartbeat = Heartbeat(interval, self.opened)
        self.phase = Phase.OPEN
        self._handlers[Welcome](welcome)
        for speaker in self._speakers:
            speaker.connected(self._channel)

    def _renewed(self, renew: Renew) -> None:
        self._handlers[Renew](renew)
        raise Ended("the expired certificate is renewed")

    def _ping(self, _: Ping) -> None:
        self._channel.send(Pong())

    def _nothing(self, _: Pong | Welcome) -> None:
        """A sign of life, as everything that comes, and nothing more: a device that greets again may be welcomed
        again."""

    def _closed(self, close: Close) -> None:
        raise Ended(close.reason or f"the server closed the link ({close.code})", close.code)
