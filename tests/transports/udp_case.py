"""A server's UDP transport on a real port, before a real center with a real database, and devices with sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from twisted.internet.protocol import DatagramProtocol
from twisted.logger import ILogObserver, LogEvent, Logger, formatEvent
from twisted.trial.unittest import TestCase

from iotcenter.center.center import Center
from iotcenter.clock import Clock
from iotcenter.identity.accounts import Accounts
from iotcenter.identity.authority import Authority
from iotcenter.interfaces import House
from iotcenter.storage.store import Store
from iotcenter.transports.udp import UdpService, UdpSettings
from tests.processes import until
from tests.udp_device import UdpDevice


class Socket(DatagramProtocol):
    """A socket that keeps what it gets."""

    noisy = False

    def __init__(self, reactor: Any, server: tuple[str, int]) -> None:
        self.got: list[bytes] = []
        self._server = server
        self.port = reactor.listenUDP(0, self, "127.0.0.1")

    def send(self, datagram: bytes) -> None:
        """Send it to the server."""
        self.port.write(datagram, self._server)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Keep it."""
        self.got.append(datagram)


class UdpTestCase(TestCase):
    """Has a UDP transport on a loopback port, which can be started anew."""

    settings = UdpSettings(listen="127.0.0.1:0")

    async def setUp(self) -> None:  # type: ignore[override]
        """Open everything."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.lines: list[str] = []
        self.devices: list[UdpDevice] = []
        self.sockets: list[Socket] = []
        await self.start(self.settings)

    async def tearDown(self) -> None:  # type: ignore[override]
        """Close everything."""
        await self.stop()
        for device in self.devices:
            await device.close()
        for socket in self.sockets:
            await socket.port.stopListening()

    async def start(self, settings: UdpSettings) -> None:
        """Start the server."""
        clock = Clock(self.reactor)
        self.store = Store(self.directory, self.reactor)
        self.store.open()
        self.authority = authority = Authority.open(self.directory, clock.seconds)
        self.accounts = Accounts(self.store, authority, clock.seconds)
        await self.accounts.load()
        self.center = Center(self.store, self.accounts, clock)
        await self.center.load()
        self.center.start()
        log = Logger(namespace="test", observer=cast(ILogObserver, self.logged))
        self.service = UdpService(settings, House(self.reactor, clock, self.center, authority, self.accounts, log))
        self.service.startService()
        self.server = ("127.0.0.1", self.service.port)

    async def stop(self) -> None:
        """Stop the server."""
        self.service.stopService()
        self.center.stop()
        await self.store.close()

    async def restart(self) -> None:
        """Stop the server, and start it anew on the same port."""
        await self.stop()
        await self.start(UdpSettings(listen=f"{self.server[0]}:{self.server[1]}"))

    def logged(self, event: LogEvent) -> None:
        """Keep a line of the transport's log."""
        self.lines.append(formatEvent(event))

    async def add(self, name: str = "chip", flags: int = 0, max_rx: int = 1200, version1: bool = False) -> UdpDevice:
        """A device that the server knows; open it to have it say HELLO."""
        row, key = await self.accounts.add_udp(name, version1, "ann")
        device = UdpDevice(self.reactor, self.server, row.id, key.hex(), flags, max_rx)
        self.devices.append(device)
        return device

    def socket(self) -> Socket:
        """Somebody else."""
        socket = Socket(self.reactor, self.server)
        self.sockets.append(socket)
        return socket

    async def handled(self, count: int) -> None:
        """Done when the server has dropped ``count`` datagrams in all."""
        await until(self.reactor, lambda: self.refused >= count, lambda: f"{self.refused} datagrams of {count}")

    @property
    def refused(self) -> int:
        """How many datagrams were dropped so far."""
        datagrams = self.service.datagrams
        return (datagrams.endpoint.refused + datagrams.version1.refused).total()

    async def stored(self, name: str = "chip") -> int:
        """How many readings of a device are on disk."""
        await self.store.readings.settled()
        known = self.center.devices.named(name)
        await self.store.readings.settled()
        return int((await self.store.readings.accounts())[known.id].received)
