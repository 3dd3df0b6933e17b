"""Many devices in one process: each has its own credentials and the agent's own way to keep a link, and counts.

``python -m tests.faults.crowd FOLDER PORT EVERY [patient] [wait]`` plays those that ``enrolled`` has left in FOLDER:
each reports its next number every so many seconds. It prints how many links are open where that is all or none. Told to
``stop`` (a line on its standard input), it makes no more, and when all is acknowledged it writes down how many numbers
each device made, and ends. Without ``patient`` a server that dies all the time is looked for as if that happened for
the first time; with ``wait`` they begin when the first line is read.
"""

from __future__ import annotations

import gc
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from typing import Any, NamedTuple, cast

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_der_x509_certificate
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.stdio import StandardIO
from twisted.internet.task import react
from twisted.protocols.basic import LineOnlyReceiver

from iotcenter.identity.authority import Authority, key_of
from iotcenter.model import Reading
from iotcenter.storage.store import Store
from iotcenter.wire.messages import Ack, Busy, Hello, Report
from iotdevice import pauses
from iotdevice.channel import Channel
from iotdevice.clock import Clock
from iotdevice.connection import Connection, Talk, over_tls
from iotdevice.credentials import Credentials, signing_request
from iotdevice.devicelog import DeviceLog
from iotdevice.renewal import Renewal
from iotdevice.timers import Timers
from tests.faults.journal import SERIES

MEMBERS, MADE = "members", "made"
"""The files with the devices' credentials, and with what they made."""

SOURCES = 8
"""Addresses that the devices come from: as sites of many devices each, of which a server bounds those that it does not
know yet."""

AT_ONCE = 500
"""Devices that are enrolled in one commit."""

IN_FLIGHT = 4
"""Reports that a device sends before it hears of the first of them."""

OF_A_REPORT = 50
"""Readings in one report at most, as after an absence."""


class Members(NamedTuple):
    """All devices: one key for all, since making keys takes its time; the root; each device's id and certificate."""

    key: bytes
    root: bytes
    certificates: list[tuple[str, bytes]]


async def enrolled(reactor: Any, server: Path, folder: Path, count: int, first: int = 1) -> list[str]:
    """Enroll so many devices in the data directory ``server``, on which no server runs; their ids, in order, which
    count from ``first``."""
    server.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(server, reactor)
    store.open()
    try:
        authority = Authority.open(server, time.time)
        key = generate_private_key(SECP256R1())
        request = signing_request(key)
        signed = [
            (f"{number:032x}", *authority.sign_device(request, f"{number:032x}"))
            for number in range(first, first + count)
        ]
        for start in range(0, count, AT_ONCE):
            await gatherResults([_add(store, *one) for one in signed[start : start + AT_ONCE]])
    finally:
        await store.close()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    members = Members(
        text, authority.root.public_bytes(Encoding.DER), [(id, certificate) for id, certificate, _ in signed]
    )
    (folder / MEMBERS).write_bytes(msgspec.msgpack.encode(members))
    return [id for id, _, _ in signed]


def made(folder: Path) -> dict[str, int]:
    """How many numbers each device made, by its id, from 1 on; all of them were acknowledged."""
    return msgspec.msgpack.decode((folder / MADE).read_bytes(), type=dict[str, int])


class Member:
    """One device. It numbers its readings as their values, sends them in order, and forgets those that are there."""

    def __init__(
        self, reactor: Any, credentials: Credentials, port: int, every: float, told: Callable[[], None]
    ) -> None:
        clock = Clock(reactor)
        self.id = credentials.device
        self.made = 0
        self.done = 0
        self.linked = False
        self._sent = 0
        self._reports: list[tuple[int, int]] = []
        self._channel: Channel | None = None
        self._told = told
        self._every = every
        self._timers = Timers(reactor)
        source = f"127.0.0.{1 + int(self.id, 16) % SOURCES}"
        way = TCP4ClientEndpoint(reactor, "127.0.0.1", port, bindAddress=(source, 0))
        renewal = Renewal(Path(), credentials, clock, DeviceLog(clock))
        self._connection = Connection(
            "the server",
            over_tls(lambda handshakes: wrapClientTLS(handshakes, way), clock),
            clock,
            DeviceLog(clock),
            renewal,
            Talk(lambda: Hello("crowd/1", 1), [self], {Ack: self._acknowledged, Busy: self._busy}),
            pauses.Pauses(random.random),
            frozenset,
        )

    def start(self) -> None:
        """Begin to count, and to connect."""
        self._timers.within(random.random() * self._every, self._count)
        self._connection.start()

    def stop(self) -> None:
        """Make no more."""
        self._timers.cancel(self._count)

    def connected(self, channel: Channel) -> None:
        """See ``Speaker``."""
        self._channel, self.linked, self._sent = channel, True, self.done
        self._told()
        self._send()

    def writable(self) -> None:
        """See ``Speaker``."""
        self._send()

    def disconnected(self) -> None:
        """See ``Speaker``."""
        self._channel, self.linked = None, False
        self._reports.clear()
        self._told()

    def _count(self) -> None:
        self.made += 1
        self._timers.within(self._every, self._count)
        self._send()

    def _send(self) -> None:
        while self._channel is not None and self._sent < self.made and len(self._reports) < IN_FLIGHT:
            first, count = self._sent + 1, min(self.made - self._sent, OF_A_REPORT)
            self._sent += count
            self._reports.append((first, count))
            readings = tuple(Reading(SERIES, float(number), 0.0) for number in range(first, first + count))
            self._channel.send(Report(1, first, readings))

    def _acknowledged(self, ack: Ack) -> None:
        end = ack.sequence + ack.count
        self._reports = [one for one in self._reports if not ack.sequence <= one[0] < end]
        if ack.sequence == self.done + 1:  # as always, but for what was busy before it
            self.done = end - 1
        self._told()
        self._send()

    def _busy(self, busy: Busy) -> None:
        self._reports.clear()
        self._sent = self.made  # nothing is sent until the pause is over
        self._timers.after(busy.retry, self._again)

    def _again(self) -> None:
        self._sent = self.done
        self._send()


class Crowd(LineOnlyReceiver):
    """All of them, and whoever has them stop."""

    delimiter = b"\n"

    def __init__(self, reactor: Any, folder: Path, port: int, every: float) -> None:
        self.ended: Deferred[None] = Deferred()
        self._folder = folder
        self._started = False
        self._stopping = False
        self._open: int | None = None
        members: Members = msgspec.msgpack.decode((folder / MEMBERS).read_bytes(), type=Members)
        key = cast(EllipticCurvePrivateKey, load_pem_private_key(members.key, None))
        root = load_der_x509_certificate(members.root)
        self.members = [
            Member(reactor, Credentials(key, load_der_x509_certificate(der), root), port, every, self._look)
            for _, der in members.certificates
        ]

    def start(self) -> None:
        """Let all of them begin."""
        self._started = True
        for member in self.members:
            member.start()

    def lineReceived(self, line: bytes) -> None:
        """They are to begin, or else to stop."""
        if not self._started:
            self.start()
            return
        self._stopping = True
        for member in self.members:
            member.stop()
        self._look()

    def _look(self) -> None:
        links = sum(member.linked for member in self.members)
        if links != self._open and links in (0, len(self.members)):
            self._open = links
            print(f"links: {links}", flush=True)
        if self._stopping and not self.ended.called and all(member.done == member.made for member in self.members):
            counts = {member.id: member.made for member in self.members}
            (self._folder / MADE).write_bytes(msgspec.msgpack.encode(counts))
            self.ended.callback(None)


def _add(store: Store, id: str, certificate: bytes, expires: float) -> Deferred[Any]:
    key = key_of(load_der_x509_certificate(certificate))
    return store.devices.add(id, f"member-{int(id, 16)}", "tls", time.time(), key, expires)


async def main(reactor: Any, folder: str, port: str, every: str, *words: str) -> None:
    """Play them until they are told to stop, and all is acknowledged."""
    if "patient" not in words:
        pauses.GOOD_LINK = 0.0
    _, most = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (most, most))
    crowd = Crowd(reactor, Path(folder), int(port), float(every))
    gc.freeze()  # thousands of devices are in one process: looking for garbage among them is no device's work
    StandardIO(crowd)
    if "wait" in words:
        print("ready", flush=True)
    else:
        crowd.start()
    await crowd.ended


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, *sys.argv[1:])))
