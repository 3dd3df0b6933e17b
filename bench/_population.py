"""Many devices that are enrolled in a server's data directory before it starts, and the processes that play them.

``python _population.py PORT PROCESS PROCESSES FILE`` plays every so manieth of the devices in FILE. They say nothing
but that they are there, and come back by themselves as the agent does. Each time that all of them are in, a line says
so.
"""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from _support import more_files, run
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from cryptography.x509 import load_der_x509_certificate
from msgspec import Struct
from OpenSSL import SSL
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.task import deferLater

from iotcenter.identity.authority import Authority
from iotcenter.identity.certificates import hash_of_key, new_key
from iotcenter.storage.lock import DataLock
from iotcenter.storage.store import Store
from iotcenter.wire.messages import Hello, Ping, Pong, Welcome
from iotdevice.pauses import GOOD_LINK, Pauses
from tests.processes import Program
from tests.transports.support import Client, Creator, Key, client_context, request_for

PROCESSES = 2

ADDRESSES = [f"127.0.0.{number}" for number in range(1, 33)]
"""Where they come from: a server lets only so many of one address knock at the same time."""

SPREAD = 10.0
"""Seconds over which they come in at first."""


class Population(Struct):
    """Devices that share one key, each with a certificate of its own (all DER)."""

    key: bytes
    certificates: list[bytes]


async def enroll(reactor: Any, directory: Path, count: int, file: Path) -> None:
    """Make a data directory that knows so many devices, and ``file``, from which they are played."""
    key = new_key()
    request, hashed, certificates = request_for(key), hash_of_key(key.public_key()), []
    lock = DataLock.acquire(directory)
    store, authority = Store(directory, reactor), Authority.open(directory, reactor.seconds)
    store.open()
    for first in range(0, count, 500):
        adding = []
        for number in range(first, min(first + 500, count)):
            certificate, expires = authority.sign_device(request, f"{number:032x}")
            certificates.append(certificate)
            adding.append(store.devices.add(f"{number:032x}", f"idle-{number}", "tls", 0.0, hashed, expires))
        await gatherResults(adding)
    await store.close()
    lock.release()
    text = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(msgspec.msgpack.encode(Population(text, certificates)))


def play(reactor: Any, port: int, file: Path) -> list[Program]:
    """Start the processes that play the devices in ``file``."""
    line = [sys.executable, __file__, str(port)]
    return [
        Program(reactor, [*line, str(number), str(PROCESSES), str(file)], {"PYTHONPATH": ":".join(sys.path)})
        for number in range(PROCESSES)
    ]


async def all_in(programs: Sequence[Program], time: int, within: float = 300.0) -> None:
    """Done when all devices of all processes are in for the ``time``-th time."""
    await gatherResults([Deferred.fromCoroutine(one.until(f"all in: {time}\n", within)) for one in programs])


class Idler(Client):
    """A link over which nothing is said."""

    def dataReceived(self, data: bytes) -> None:
        """Answer pings, and keep nothing."""
        super().dataReceived(data)
        for message in self.received:
            if isinstance(message, Ping):
                self.send(Pong())
        self.received.clear()


class Players:
    """The devices of one process."""

    def __init__(self, reactor: Any, port: int, contexts: Sequence[SSL.Context]) -> None:
        self._reactor = reactor
        self._port = port
        self._contexts = contexts
        self._there = 0
        self._times = 0

    async def run(self) -> None:
        """Play until the process is killed."""
        await gatherResults(
            [Deferred.fromCoroutine(self._device(number, one)) for number, one in enumerate(self._contexts)]
        )

    async def _device(self, number: int, context: SSL.Context) -> None:
        pauses = Pauses(random.random)
        await deferLater(self._reactor, random.uniform(0, SPREAD))
        while True:
            worked = await self._link(context, ADDRESSES[number % len(ADDRESSES)])
            await deferLater(self._reactor, pauses.next(worked))

    async def _link(self, context: SSL.Context, address: str) -> float:
        """Be there until the link is lost; the answer is how long it seemed to work."""
        endpoint = TCP4ClientEndpoint(self._reactor, "127.0.0.1", self._port, timeout=60, bindAddress=(address, 0))
        try:
            link = await connectProtocol(wrapClientTLS(Creator(context), endpoint), Idler())
            welcome = link.next(Welcome)
            link.send(Hello(boot=1))
            await welcome
        except Exception:  # refused, cut off, or too slow: whatever it is, the device tries again
            return 0.0
        self._there += 1
        if self._there == len(self._contexts):
            self._times += 1
            print(f"all in: {self._times}", flush=True)
        await link.lost
        self._there -= 1
        return GOOD_LINK


def _contexts(file: Path, process: int, processes: int) -> list[SSL.Context]:
    population = msgspec.msgpack.decode(file.read_bytes(), type=Population)
    key: Key = load_der_private_key(population.key, None)  # type: ignore[assignment]
    mine = population.certificates[process::processes]
    return [client_context(key, [load_der_x509_certificate(one)]) for one in mine]


async def _main(reactor: Any) -> None:
    port, process, processes, file = sys.argv[1:]
    contexts = _contexts(Path(file), int(process), int(processes))
    gc.freeze()  # thousands of devices are in one process: looking for garbage among them is no device's work
    print("ready", flush=True)
    await Players(reactor, int(port), contexts).run()


if __name__ == "__main__":
    more_files()
    run(_main)
