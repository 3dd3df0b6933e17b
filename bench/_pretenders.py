"""Devices over encrypted UDP, as little of them as a benchmark needs: all on one socket, in this process."""

from __future__ import annotations

import os
import secrets
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator

import msgspec
from _support import cpu_seconds, serving_seconds

from iotcenter.wire.udp.content import Content, Kind, parse_content
from iotcenter.wire.udp.handshake import HELLO, Hello, Opening, parse_welcome
from iotcenter.wire.udp.keys import DeviceKeys
from iotcenter.wire.udp.records import DEVICE_WINDOW, LARGEST_DATAGRAM, Opener, RecordType, Sealer

WITHIN = 10.0
"""Seconds for any single answer."""

REST, IDLE = 2.5, 0.05
"""Seconds between two looks at whether the server is idle, and the share of the processor that it may use then."""

BURST = 150
"""Datagrams that are sent before it is seen that the server has come so far: the kernel keeps no more for it."""


class Pretender:
    """One device, as little of it as a benchmark needs."""

    def __init__(self, device: str, key: str) -> None:
        self.id = bytes.fromhex(device)
        self.keys = DeviceKeys(bytes.fromhex(key))
        self.sequence = 0
        self.message_id = 0

    def hello(self) -> bytes:
        """A HELLO, which nobody has seen before."""
        self.greeting = Hello(0, LARGEST_DATAGRAM // 16 * 16, self.id, secrets.token_bytes(16)).datagram(self.keys)
        return self.greeting

    def opening(self, datagram: bytes) -> bytes:
        """What answers the WELCOME: the first record, a ping."""
        welcome = parse_welcome(datagram, self.greeting, self.keys)
        assert welcome is not None
        self.cid = welcome.cid
        up, down = self.keys.record_keys(self.greeting, datagram)
        self._sealer = Sealer(up, RecordType.UP, welcome.cid)
        self.opener = Opener(down, RecordType.DOWN, welcome.cid, DEVICE_WINDOW)
        return Opening(self.greeting, welcome.time, self.ping()).datagram()

    def ping(self) -> bytes:
        """A record that is to be acknowledged."""
        return self._seal(Kind.PING, b"")

    def report(self) -> bytes:
        """Two readings, as a chip sends them."""
        self.sequence += 2
        readings = [["t", 21.5 + self.sequence % 7], ["h", 40.25]]
        return self._seal(Kind.REPORT, msgspec.msgpack.encode([1, self.sequence - 1, readings]))

    def _seal(self, kind: Kind, body: bytes) -> bytes:
        self.message_id = self.message_id + 1 & 0xFFFF
        return self._sealer.seal(Content(kind, self.message_id, body, confirmable=True).text())


class Load:
    """All devices on one socket, and the server's processor time."""

    def __init__(self, port: int, pid: int, devices: list[Pretender]) -> None:
        self._pid = pid
        self._devices = devices
        self._by_cid: dict[bytes, Pretender] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.setblocking(False)

    def measured(self, what: Callable[[], int]) -> tuple[float, float]:
        """How many of them a second of the server's processor, and how many a second on the wall."""
        cpu, wall = cpu_seconds(self._pid), time.monotonic()
        count = what()
        used, took = cpu_seconds(self._pid) - cpu, time.monotonic() - wall
        return count / max(used, 0.01), count / took

    def measured_reports(self, each: int) -> tuple[float, float, float]:
        """As ``measured``, of ``reports``, without what merging them costs; and how many seconds of the processor that
        was, until all is merged."""
        cpu, served, wall = cpu_seconds(self._pid), serving_seconds(self._pid), time.monotonic()
        count = self.reports(each)
        served, took = serving_seconds(self._pid) - served, time.monotonic() - wall
        aside = cpu_seconds(self._pid) - cpu - served
        return count / max(served, 0.01), count / took, aside + self.rest()

    def rest(self) -> float:
        """Wait until the server has nothing left to do; how many seconds of its processor that took."""
        before = last = cpu_seconds(self._pid)
        while True:
            time.sleep(REST)
            now = cpu_seconds(self._pid)
            if now - last <= IDLE * REST:
                return last - before
            last = now

    def handshakes(self) -> int:
        """Each device makes a session."""
        for device in self._devices:
            self._socket.send(device.hello())
            self._socket.send(device.opening(self._answer()))
            answer = self._answer()
            assert device.opener.open(answer) is not None
            self._by_cid[device.cid] = device
        return len(self._devices)

    def reports(self, each: int) -> int:
        """Each device reports, the next when the last is acknowledged: it has one message on its way, as the protocol
        wants it. What they send is sealed beforehand, so that the server never waits for us."""
        ready = {device.cid: deque(device.report() for _ in range(each)) for device in self._devices}
        for records in ready.values():
            self._socket.send(records.popleft())
        left, acknowledged = len(ready) * each, 0
        while acknowledged < left:
            for datagram in self._waiting():
                acknowledged += 1
                records = ready[datagram[1:5]]
                if records:
                    self._socket.send(records.popleft())
        return acknowledged

    def forged(self, count: int) -> int:
        """Records whose tags are wrong, each of another number."""
        device = self._devices[0]
        record = device.ping()
        return self._flood(
            count, lambda number: record[:5] + (10_000 + number).to_bytes(4, "big") + record[9:25] + os.urandom(16)
        )

    def strangers(self, count: int) -> int:
        """HELLOs of devices that nobody knows."""
        return self._flood(count, lambda number: b"\xc1\x21\x00\x0c" + os.urandom(HELLO - 4))

    def _flood(self, count: int, make: Callable[[int], bytes]) -> int:
        device = self._devices[-1]
        datagrams = [make(number) for number in range(count)]
        for start in range(0, count, BURST):
            for datagram in datagrams[start : start + BURST]:
                self._socket.send(datagram)
            self._socket.send(device.ping())
            text = device.opener.open(self._answer())
            assert text is not None
            assert parse_content(text).acked == device.message_id
        return count

    def _waiting(self) -> Iterator[bytes]:
        """What has come, at least one datagram."""
        yield self._answer()
        while True:
            try:
                yield self._socket.recv(2048)
            except BlockingIOError:
                return

    def _answer(self) -> bytes:
        readable, _, _ = select.select([self._socket], [], [], WITHIN)
        if not readable:
            raise TimeoutError("the server does not answer")
        return self._socket.recv(2048)
