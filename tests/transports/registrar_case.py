"""A registrar on loopback ports before a real center with a real database, and clients of each of its three ways."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar, cast

from argon2 import PasswordHasher
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.threads import deferToThread
from twisted.logger import ILogObserver, LogEvent, Logger, formatEvent
from twisted.trial.unittest import TestCase

from iotcenter.center.center import Center
from iotcenter.identity.accounts import Accounts
from iotcenter.identity.authority import Authority
from iotcenter.identity.passwords import Passwords
from iotcenter.identity.registrations import Registrations
from iotcenter.interfaces import House
from iotcenter.storage.store import Store
from iotcenter.transports.registrar import RegistrarSettings
from iotcenter.transports.registrar_service import RegistrarService
from iotcenter.wire.names import SERVER_NAME

ANSWER_WITHIN = 10.0


class Wire:
    """One client's connection. It blocks: use it in a thread."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        sock.settimeout(ANSWER_WITHIN)

    def ask(self, packet: bytes) -> bytes:
        """Send a packet, and read one answer."""
        self.socket.sendall(packet)
        return self.socket.recv(1024)


def fields(answer: bytes) -> list[str]:
    """An answer's fields."""
    return answer.decode().rstrip("\n").split("\t")


def code_of(answer: bytes) -> str:
    """The code in an answer."""
    return fields(answer)[1]


class RegistrarTestCase(TestCase):
    """Has the registrar open by all ways. ``open`` lets anybody register."""

    open: ClassVar[bool] = True

    async def setUp(self) -> None:  # type: ignore[override]
        """Open everything."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.store = Store(self.directory, reactor)
        self.store.open()
        self.authority = Authority.open(self.directory, self.reactor.seconds)
        self.accounts = Accounts(self.store, self.authority, self.reactor.seconds)
        await self.accounts.load()
        self.center = Center(self.store, self.accounts, reactor)
        await self.center.load()
        self.center.start()
        self.passwords = Passwords(reactor, PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1))
        self.registrations = Registrations(self.store, self.accounts, self.passwords, self.reactor.seconds)
        self.complaints: list[str] = []
        self.activities: list[str] = []
        self.service = self.new_service()
        self.service.startService()
        self.wires: list[Wire] = []

    def new_service(self) -> RegistrarService:
        """The transport, with a port for each way."""
        house = House(
            self.reactor,
            self.reactor,
            self.center,
            self.authority,
            self.accounts,
            _log(self.complaints),
            _log(self.activities),
            self.registrations,
        )
        return RegistrarService(RegistrarSettings("127.0.0.1:0", self.open, "0", "0"), house)

    async def tearDown(self) -> None:  # type: ignore[override]
        """Close everything."""
        for wire in self.wires:
            wire.socket.close()
        await self.service.stopService()
        self.center.stop()
        self.passwords.close()
        await self.store.close()

    def connect(self, way: str) -> Wire:
        """A connection by ``tls``, ``tcp`` or ``udp``. It blocks."""
        sock = socket.socket(type=socket.SOCK_DGRAM if way == "udp" else socket.SOCK_STREAM)
        sock.settimeout(ANSWER_WITHIN)
        sock.connect(("127.0.0.1", self.service.port(way)))
        if way == "tls":
            root = self.authority.root.public_bytes(Encoding.PEM).decode()
            sock = ssl.create_default_context(cadata=root).wrap_socket(sock, server_hostname=SERVER_NAME)
        wire = Wire(sock)
        self.wires.append(wire)
        return wire

    def ask(self, packet: bytes, way: str = "tls") -> Awaitable[bytes]:
        """The answer to a packet, which gets a connection of its own, as the original clients do it."""

        def exchange() -> bytes:
            wire = self.connect(way)
            answer = wire.ask(packet)
            wire.socket.close()
            return answer

        return self.in_thread(exchange)

    async def code(self, packet: bytes, way: str = "tls") -> str:
        """The code that a packet is answered with."""
        return code_of(await self.ask(packet, way))

    def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Awaitable[Any]:
        """What a function that blocks returns."""
        return deferToThread(function, *arguments)


def _log(lines: list[str]) -> Logger:
    def keep(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    return Logger(namespace="test", observer=cast(ILogObserver, keep))
