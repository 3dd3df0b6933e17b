"""Devices that report, in a process of their own that does nothing else: raw sockets, and one thread.

``python _load.py`` reads an ``Order`` in JSON, says "ready", each second how many reports are acknowledged, "over" when
the time is up, and then a ``Found`` in JSON.
"""

from __future__ import annotations

import select
import socket
import ssl
import sys
import time
from bisect import bisect_left
from collections import Counter, deque
from contextlib import suppress
from itertools import accumulate
from math import inf
from pathlib import Path

import msgspec
from _speech import MqttSpeech, OurSpeech, Speech
from _support import cpu_seconds, more_files
from msgspec import Struct

from iotcenter.wire.names import ALPN_LINK

AT_ONCE = 64 * 1024
"""Bytes that are taken from a connection at once."""

TICK = 0.005
"""Seconds between two looks at what is due."""

REST = 5.0
"""Seconds for which a device says nothing more that was turned away."""

PATIENCE = 30.0
"""Seconds in which what is in flight at the end has to be acknowledged."""


class Order(Struct):
    """What is to be done: ``devices`` keep up to ``window`` reports of ``size`` readings in flight for so many
    ``seconds``; ``rate``, where it is not 0, is the most reports a second in all.

    ``folder`` has what the devices show, and ``pids`` are the programs whose processor time counts.
    """

    port: int
    folder: str
    pids: list[int]
    seconds: float
    devices: int = 10
    window: int = 32
    size: int = 5
    rate: float = 0.0
    boot: int = 1
    mqtt: bool = False


class Found(Struct):
    """What came of it.

    ``acknowledged`` and ``refused`` are reports; ``cpu`` is the programs' processor time until the time was up, ``own``
    that of this process; ``p50`` and ``p99`` are what acknowledgements took, in milliseconds.
    """

    acknowledged: int
    refused: int
    seconds: float
    cpu: float
    own: float
    p50: float
    p99: float


class Link:
    """One device's connection."""

    def __init__(self, order: Order, number: int) -> None:
        self._window = order.window
        self._speech = _speech(order, number)
        self._tls = _connect(order, number)
        self._tls.sendall(self._speech.hello())
        if not self._tls.recv(AT_ONCE):
            raise SystemExit("the server does not let a device in")
        self._tls.setblocking(False)
        self._flying: deque[tuple[float, int]] = deque()
        self._in_flight = 0
        self._unsent = b""
        self._rests_until = 0.0
        self._phase = number / order.devices
        self._sent = 0
        self.acknowledged = 0
        self.refused = 0

    def fileno(self) -> int:
        """For ``select``."""
        return self._tls.fileno()

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight."""
        return not self._in_flight

    def fill(self, now: float, due: float) -> None:
        """Send what the window has room for, of so many reports that are ``due``."""
        count = int(min(self._window - self._in_flight, due + self._phase - self._sent))
        if count > 0 and now >= self._rests_until:
            self._unsent += self._speech.reports(self._sent, count)
            self._flying.append((now, count))
            self._in_flight += count
            self._sent += count
        if self._unsent:
            with suppress(ssl.SSLWantWriteError):
                self._unsent = self._unsent[self._tls.send(self._unsent) :]

    def hear(self, now: float, delays: Counter[int]) -> None:
        """Take what came; ``delays`` counts acknowledgements by the hundredths of a millisecond that they took."""
        try:
            acknowledged, refused = self._speech.heard(self._tls.recv(AT_ONCE))
            while self._tls.pending():
                more = self._speech.heard(self._tls.recv(AT_ONCE))
                acknowledged, refused = acknowledged + more[0], refused + more[1]
        except ssl.SSLWantReadError:
            return
        if refused:
            self._rests_until = now + REST
        self.acknowledged += acknowledged
        self.refused += refused
        self._land(acknowledged + refused, now, delays)

    def _land(self, count: int, now: float, delays: Counter[int]) -> None:
        self._in_flight -= count
        while count:
            sent, flying = self._flying.popleft()
            landed = min(count, flying)
            delays[int((now - sent) * 100_000)] += landed
            if landed < flying:
                self._flying.appendleft((sent, flying - landed))
            count -= landed


def drive(order: Order, links: list[Link]) -> Found:
    """Do it."""
    poll, of = select.epoll(), {link.fileno(): link for link in links}
    for descriptor in of:
        poll.register(descriptor, select.EPOLLIN)
    delays: Counter[int] = Counter()
    each = order.rate / order.devices if order.rate else inf
    began, cpu, own = time.perf_counter(), _cpu(order), time.process_time()
    now = looked = told = began
    while now - began < order.seconds:
        due = (now - began) * each if order.rate else inf
        if now - looked >= TICK or now == began:
            looked = now
            for link in links:
                link.fill(now, due)
        for descriptor, _ in poll.poll(TICK):
            now = time.perf_counter()
            of[descriptor].hear(now, delays)
            of[descriptor].fill(now, due)
        now = time.perf_counter()
        if now - told >= 1.0:
            told = now
            print(sum(link.acknowledged for link in links), flush=True)
    cpu, own = _cpu(order) - cpu, time.process_time() - own
    print("over", flush=True)
    while not all(link.idle for link in links):
        for descriptor, _ in poll.poll(TICK):
            of[descriptor].hear(time.perf_counter(), delays)
        if time.perf_counter() - now > PATIENCE:
            raise SystemExit("what is in flight is not acknowledged")
    acknowledged, refused = sum(link.acknowledged for link in links), sum(link.refused for link in links)
    return Found(acknowledged, refused, now - began, cpu, own, _quantile(delays, 0.5), _quantile(delays, 0.99))


def _cpu(order: Order) -> float:
    return sum(map(cpu_seconds, order.pids))


def _quantile(delays: Counter[int], share: float) -> float:
    """The time in milliseconds that so large a share of acknowledgements did not take longer than."""
    ordered = sorted(delays)
    sums = list(accumulate(delays[one] for one in ordered))
    return ordered[bisect_left(sums, share * sums[-1])] / 100 if sums else 0.0


def _speech(order: Order, number: int) -> Speech:
    if order.mqtt:
        return MqttSpeech(order.boot, order.size, f"device-{number}")
    return OurSpeech(order.boot, order.size)


def _connect(order: Order, number: int) -> ssl.SSLSocket:
    """TLS with the certificate of one device; the server's is not looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(Path(order.folder, f"device-{number}.pem"))
    if not order.mqtt:
        context.set_alpn_protocols([ALPN_LINK.decode()])
    connection = socket.create_connection(("127.0.0.1", order.port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(connection)


def main() -> None:
    """Do what is ordered."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    links = [Link(order, number) for number in range(order.devices)]
    print("ready", flush=True)
    print(msgspec.json.encode(drive(order, links)).decode(), flush=True)


if __name__ == "__main__":
    more_files()
    main()
