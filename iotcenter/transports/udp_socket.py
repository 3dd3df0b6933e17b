"""A UDP port that is drained in batches: one turn of the reactor takes whatever waits, up to a bound."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from iotcenter.listening import CannotOpen
from iotcenter.wire.udp.events import Address
from iotcenter.wire.udp.records import LARGEST_DATAGRAM

AT_ONCE = 256
"""Datagrams that are taken in one turn: some 5 ms of work, and nobody else waits longer."""

Arrived = list[tuple[bytes, Address]]
"""Datagrams that came together, each with where it came from."""

BUFFER = 4 * 1024 * 1024
"""Bytes that the kernel is asked to keep for us, so that a storm of devices is not lost while we do something else; it
gives what it may."""


@implementer(IReadDescriptor)
class UdpSocket(Service):
    """A socket that is open while the service runs. ``received`` takes the datagrams of each turn.

    Twisted's own UDP port looks at each address that it sends to, which costs more than sealing what is sent.
    """

    def __init__(self, reactor: Any, address: tuple[str, int], received: Callable[[Arrived], None]) -> None:
        self._reactor = reactor
        self._where = address
        self._received = received
        self._socket: socket.socket | None = None

    @property
    def address(self) -> tuple[str, int] | None:
        """The interface and the port, None while it is closed."""
        return None if self._socket is None else self._socket.getsockname()[:2]

    @property
    def port(self) -> int:
        """The number of the port that is open, 0 while it is closed."""
        return 0 if self._socket is None else int(self._socket.getsockname()[1])

    def startService(self) -> None:
        """Open the port, and take in what comes. Raises ``CannotOpen``."""
        host, port = self._where
        opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            if host == "::":
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            opened.bind((host, port))
        except OSError as error:
            opened.close()
            why = os.strerror(error.errno) if error.errno else str(error)
            raise CannotOpen(f"devices over UDP: cannot listen on {host}:{port}: {why}") from None
        self._socket = opened
        super().startService()
        self.take()

    def hold(self) -> None:
        """Leave datagrams in the kernel's queue until ``take``."""
        self._reactor.removeReader(self)

    def take(self) -> None:
        """Take datagrams in."""
        if self._socket is not None:
            self._reactor.addReader(self)

    def stopService(self) -> None:
        """Close the port."""
        super().stopService()
        self.hold()
        opened, self._socket = self._socket, None
        if opened is not None:
            opened.close()

    def send(self, datagram: bytes, address: Address) -> None:
        """Send a datagram, as far as the network takes it: what is lost here is lost as on the way."""
        if self._socket is not None:
            try:
                self._socket.sendto(datagram, address)
            except OSError:
                return

    def doRead(self) -> None:
        """Datagrams wait."""
        if self._socket is None:
            return
        arrived: Arrived = []
        receive = self._socket.recvfrom
        for _ in range(AT_ONCE):
            try:
                arrived.append(receive(LARGEST_DATAGRAM + 1))
            except BlockingIOError:
                break
            except OSError:  # what an ICMP message says of a datagram that was sent earlier
                continue
        self._received(arrived)

    def fileno(self) -> int:
        """See ``IFileDescriptor``."""
        return -1 if self._socket is None else self._socket.fileno()

    def connectionLost(self, reason: Failure) -> None:
        """See ``IFileDescriptor``."""

    def logPrefix(self) -> str:
        """See ``ILoggingContext``."""
        return "udp"
