"""A device's link over encrypted UDP, for networks where each byte of TLS costs. What is said over it is the same."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import DatagramProtocol

from iotcenter.model import Message
from iotcenter.wire.errors import WireError
from iotcenter.wire.heartbeat import MAX_INTERVAL
from iotcenter.wire.messages import Ack, Close, CloseCode, Hello, Log, Ping, Renew, Report, Result, Tunnel, Welcome
from iotcenter.wire.udp.bodies import body_of, message_of, parse_configuration
from iotcenter.wire.udp.content import Kind
from iotcenter.wire.udp.device import Answered, Arrived, Connected, DeviceSession, Settings, Unreachable
from iotcenter.wire.udp.handshake import Flag
from iotcenter.wire.udp.keys import DeviceKeys
from iotdevice.config import Address
from iotdevice.connection import Converse, Dial, First
from iotdevice.conversation import Conversation, Ended, Phase
from iotdevice.credentials import Credentials
from iotdevice.link import End
from iotdevice.timers import Timers

CARRIED = (Report, Result, Log, Hello, Tunnel, Renew)
"""What goes to the server so that it is acknowledged. Files need TLS."""


def over_udp(reactor: Any, server: Address, key: bytes, hello: Callable[[], Hello]) -> Dial:
    """Opens links over UDP, with the device's key. The first message is ``hello``: no certificate is needed there."""

    async def dial(credentials: Credentials, first: First, converse: Converse) -> UdpLink:
        host = await _resolved(reactor, server.host)
        link = UdpLink(reactor, (host, server.port), credentials.device, DeviceKeys(key), hello, converse)
        link.open()
        return link

    return lambda credentials, first, converse: Deferred.fromCoroutine(dial(credentials, first, converse))


def _resolved(reactor: Any, host: str) -> Deferred[str]:
    if isIPAddress(host) or isIPv6Address(host):
        return succeed(host)
    resolved: Deferred[str] = reactor.resolve(host)
    return resolved


class UdpLink(DatagramProtocol):
    """The device's end of a link. ``hello`` gives its first message, ``ended`` fires with how it ended.

    The server is there when it has answered that message, and has told the device its name.
    """

    noisy = False

    def __init__(
        self,
        reactor: Any,
        server: tuple[str, int],
        device: str,
        keys: DeviceKeys,
        hello: Callable[[], Hello],
        converse: Callable[[UdpLink], Conversation],
    ) -> None:
        self.ended: Deferred[End] = Deferred()
        self._reactor = reactor
        self._server = server
        self._device = device
        self._hello = hello
        self._session = DeviceSession(
            Settings(bytes.fromhex(device), Flag.FRESH_BOOT), keys, lambda: secrets.token_bytes(16), random.random
        )
        self._conversation = converse(self)
        self._timers = Timers(reactor)
        self._keepalive = 0.0
        self._port: Any = None
        self._over = False
        self._handlers: dict[type, Callable[[Any], None]] = {
            Connected: self._connected,
            Answered: self._answered,
            Arrived: self._arrived,
            Unreachable: self._unreachable,
        }

    @property
    def writable(self) -> bool:
        """See ``Channel``: one message at a time is on its way."""
        return self._session.waiting == 0

    def open(self) -> None:
        """Take a port, and say HELLO."""
        self._port = self._reactor.listenUDP(0, self, "::" if ":" in self._server[0] else "")
        self._session.connect(self._reactor.seconds())
        self._flush()

    def send(self, message: Message) -> None:
        """See ``Channel``."""
        if self._over:
            return
        if isinstance(message, Ping):
            self._session.put(Kind.PING, b"", message)
        elif isinstance(message, CARRIED):
            self._session.put(*body_of(message), message)
        elif isinstance(message, Close):
            self._session.tell(*body_of(message))
        self._flush()

    def stop(self) -> None:
        """The agent stops: say so, and go."""
        self.send(Close(CloseCode.STOPPING, "the agent stops"))
        self._end(Ended("the agent stops"))

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Something came; whether it is the server's shows in the session."""
        self._handle(self._session.receive(datagram, self._reactor.seconds()))

    def _handle(self, events: list[Any]) -> None:
        try:
            for event in events:
                self._handlers[type(event)](event)
        except WireError as error:
            self._end(Ended(f"the server broke the protocol: {error}"))
        except Ended as end:
            self._end(end)
        self._flush()

    def _connected(self, event: Connected) -> None:
        """A session has begun: say who the device is, first or once more."""
        self._keepalive = float(event.welcome.keepalive)
        if self._conversation.phase is Phase.GREETING:
            self._conversation.begin(self._hello())
        else:
            self.send(self._hello())

    def _answered(self, event: Answered) -> None:
        message = event.token
        if isinstance(message, Report):
            ack = Ack(message.boot, message.sequence, len(message.readings), event.refused)
            self._conversation.receive(ack)
        if self.writable:
            self._conversation.writable()

    def _arrived(self, event: Arrived) -> None:
        if event.kind == Kind.CONFIGURATION:
            told = parse_configuration(event.body)
            self._keepalive = float(max(told.keepalive, 1))
            if self._conversation.phase is Phase.GREETING:
                self._conversation.receive(Welcome(told.name, self._device, 0.0, MAX_INTERVAL))
        elif event.kind in (Kind.COMMAND, Kind.TUNNEL, Kind.RENEW, Kind.CLOSE):
            self._conversation.receive(message_of(event.kind, event.body))

    def _unreachable(self, event: Unreachable) -> None:
        raise Ended(f"the server does not answer at {Address(*self._server)}")

    def _flush(self) -> None:
        """Send what is to be sent, and look again when it is time."""
        if self._over:
            return
        now = self._reactor.seconds()
        for datagram in self._session.datagrams(now):
            self._send(datagram)
            if self._keepalive:
                self._timers.after(self._keepalive, self._ping)
        due = self._session.timer()
        if due is None:
            self._timers.cancel(self._tick)
        else:
            self._timers.after(max(0.0, due - now), self._tick)

    def _send(self, datagram: bytes) -> None:
        try:
            self._port.write(datagram, self._server)
        except OSError:  # no network at this moment: it is tried again as if it had been lost
            return

    def _tick(self) -> None:
        self._handle(self._session.tick(self._reactor.seconds()))

    def _ping(self) -> None:
        """Nothing was sent for a while: show the server, and every NAT between, that the device is there."""
        self.send(Ping())

    def _end(self, end: Ended) -> None:
        if self._over:
            return
        self._over = True
        self._timers.close()
        opened = self._conversation.opened
        self._conversation.end()
        closing = self._port.stopListening()
        worked = 0.0 if opened is None else self._reactor.seconds() - opened
        Deferred.fromCoroutine(_after(closing)).addBoth(lambda _: self.ended.callback(End(str(end), end.code, worked)))


async def _after(closing: Any) -> None:
    if closing is not None:
        await closing
