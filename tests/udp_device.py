"""A device over UDP on a real socket, for tests and benchmarks: it reports, and does what it is told."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol

from iotcenter.model import CommandOffer, Series
from iotcenter.wire.messages import Hello
from iotcenter.wire.udp.bodies import body_of
from iotcenter.wire.udp.content import Kind
from iotcenter.wire.udp.device import Answered, Arrived, Connected, DeviceSession, Event, Settings, Unreachable
from iotcenter.wire.udp.handshake import Flag
from iotcenter.wire.udp.keys import DeviceKeys

OFFER = Hello("test/1", 1, (Series("t", unit="Cel"),), (CommandOffer("blink"),))


class UdpDevice(DatagramProtocol):
    """One device. ``answers`` holds what the server acknowledged, ``effects`` how often each command was carried
    out."""

    noisy = False

    def __init__(
        self, reactor: Any, server: tuple[str, int], device: str, key: str, flags: int = 0, max_rx: int = 1200
    ) -> None:
        self.answers: list[Any] = []
        self.events: list[Event] = []
        self.effects: Counter[int] = Counter()
        self.connections = 0
        self.sent: list[bytes] = []
        self.received: list[bytes] = []
        self._reactor = reactor
        self._server = server
        self._waiting: list[tuple[Any, Deferred[Any]]] = []
        self._port: Any = None
        self._timer: Any = None
        settings = Settings(bytes.fromhex(device), Flag(flags), max_rx)
        self.session = DeviceSession(
            settings, DeviceKeys(bytes.fromhex(key)), lambda: secrets.token_bytes(16), random.random
        )

    def open(self, interface: str = "127.0.0.1") -> None:
        """Take a port, and say HELLO."""
        self._port = self._reactor.listenUDP(0, self, interface)
        self.session.connect(self._reactor.seconds())
        self.flush()

    async def rebind(self) -> None:
        """Take another port, as a NAT would."""
        self.transport = None
        port, self._port = self._port, self._reactor.listenUDP(0, self, "127.0.0.1")
        await port.stopListening()

    async def close(self) -> None:
        """Go away."""
        port, self._port = self._port, None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if port is not None:
            await port.stopListening()

    def hello(self) -> Deferred[Any]:
        """Say what it offers; fires when that is acknowledged."""
        return self.put(*body_of(OFFER), "hello")

    def report(self, sequence: int, value: float = 21.5, boot: int = 1) -> Deferred[Any]:
        """Report a reading; fires when it is on disk."""
        body = msgspec.msgpack.encode([boot, sequence, [["t", value]]])
        return self.put(Kind.REPORT, body, ("report", sequence))

    def poll(self) -> Deferred[Any]:
        """Ask whether something waits."""
        return self.put(Kind.POLL, b"", "poll")

    def put(self, kind: int, body: bytes, token: Any) -> Deferred[Any]:
        """Send a message; fires with ``Answered``."""
        waiter = self.answer(token)
        self.session.put(kind, body, token)
        self.flush()
        return waiter

    def answer(self, token: Any) -> Deferred[Any]:
        """Fires when the message with that token is acknowledged."""
        waiter: Deferred[Any] = Deferred()
        self._waiting.append((token, waiter))
        return waiter

    def arrival(self, kind: int) -> Deferred[Any]:
        """Fires with the next message of that kind."""
        return self.answer(kind)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Something came."""
        self.received.append(datagram)
        for event in self.session.receive(datagram, self._reactor.seconds()):
            self._handle(event)
        self.flush()

    def flush(self) -> None:
        """Send what is to be sent, and look again when it is time."""
        if self._port is None:
            return
        now = self._reactor.seconds()
        for datagram in self.session.datagrams(now):
            self.sent.append(datagram)
            try:
                self._port.write(datagram, self._server)
            except OSError:  # no network at this moment: as good as lost
                continue
        due = self.session.timer()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if due is not None:
            self._timer = self._reactor.callLater(max(0.0, due - now), self._tick)

    def _tick(self) -> None:
        for event in self.session.tick(self._reactor.seconds()):
            self._handle(event)
        self.flush()

    def _handle(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Connected):
            self.connections += 1
        elif isinstance(event, Unreachable):
            self.session.connect(self._reactor.seconds())
        elif isinstance(event, Answered):
            self.answers.append(event.token)
            self._tell(event.token, event)
        else:
            self._do(event)
            self._tell(event.kind, event)

    def _do(self, event: Arrived) -> None:
        if event.kind == Kind.COMMAND:
            id = msgspec.msgpack.decode(event.body)[0]
            self.effects[id] += not self.effects[id]
            result = msgspec.msgpack.encode([id, "done", "blinked"])
            self.session.put(Kind.RESULT, result, ("result", id))

    def _tell(self, token: Any, event: Event) -> None:
        for waiting in tuple(self._waiting):
            if waiting[0] == token:
                self._waiting.remove(waiting)
                waiting[1].callback(event)
