"""Opening ports."""

from __future__ import annotations

import os
import re
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from twisted.application.service import Service
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import quoteStringArgument, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.tcp import Port
from twisted.python.failure import Failure

OFF = "off"
"""What turns a listener off."""

_HOST_AND_PORT = re.compile(r"(?:(?P<host>(?!tcp6?:)[\w.-]+|\[[0-9a-fA-F:.]+\]):)?(?P<port>\d{1,5})")

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")


class BadAddress(ValueError):
    """Not PORT, HOST:PORT, a Twisted endpoint string, or ``off``."""


class CannotOpen(Exception):
    """A port cannot be opened; the text says which and why."""


BACKLOG = 4096
"""Connections that the kernel keeps for us while we are busy with others; as a rule it allows no more. With Twisted's
50, most devices that return at once would find nobody, and try again after pauses that double from a second."""

ACCEPTS = 50
"""Connections that are taken in in the first turn of the reactor after those who knock were held. By itself Twisted
takes more in each turn for as long as more are there: hundreds, in a storm."""


def endpoint_string(text: str, interface: str = "") -> str:
    """The Twisted endpoint string for ``text``: PORT, HOST:PORT, or an endpoint string already.

    ``interface`` is what PORT alone listens on; empty means all interfaces, over IPv6 too where the machine has it.
    Raises ``BadAddress``.
    """
    text = text.strip()
    match = _HOST_AND_PORT.fullmatch(text)
    if match is None:
        _check_endpoint(text)
        return text
    if int(match["port"]) > 65535:
        raise BadAddress(f"port {match['port']} is over 65535")
    host = (match["host"] or "").strip("[]") or interface or _everywhere()
    kind = "tcp6" if ":" in host else "tcp"
    return f"{kind}:{match['port']}:interface={quoteStringArgument(host)}:backlog={BACKLOG}"


def datagram_address(text: str, interface: str = "") -> tuple[str, int]:
    """The interface and the port for ``text``, PORT or HOST:PORT, on which datagrams are received.

    ``interface`` is what PORT alone listens on; empty means all interfaces. Raises ``BadAddress``.
    """
    match = _HOST_AND_PORT.fullmatch(text.strip())
    if match is None or int(match["port"]) > 65535:
        raise BadAddress(f"{text!r} is not PORT, HOST:PORT, or {OFF!r}")
    return (match["host"] or "").strip("[]") or interface or _everywhere(), int(match["port"])


def _check_endpoint(text: str) -> None:
    """Raise ``BadAddress`` unless Twisted can make an endpoint of ``text``. Nothing is opened."""
    try:
        serverFromString(None, text)
    except (ValueError, TypeError, LookupError, OSError) as error:
        raise BadAddress(f"{text!r} is not PORT, HOST:PORT, a Twisted endpoint string ({error}), or {OFF!r}") from None


def is_host(text: str) -> bool:
    """Whether ``text`` is a host name in ASCII, or an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return _HOST_NAME.fullmatch(text) is not None
    return True


def _everywhere() -> str:
    """Both families by one socket where the machine has IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::", 0))
        return "::"
    except OSError:
        return "0.0.0.0"


def plain_address(host: str) -> str:
    """An address as people know it: IPv4 that came in over IPv6 without its prefix."""
    return host.removeprefix("::ffff:")


@runtime_checkable
class Held(Protocol):
    """A service whose ports can be open before anybody is let in."""

    def startService(self) -> None:
        """Open the ports. Raises ``CannotOpen``."""

    def hold(self) -> None:
        """Let those who knock wait, in the kernel's queues."""

    def take(self) -> None:
        """Take in those who knock."""


class _Port(Service):
    """What listeners share: a port that is open while the service runs. ``what`` says in messages whose port it is."""

    def __init__(self, reactor: Any, what: str) -> None:
        self._reactor = reactor
        self._what = what
        self._port: IListeningPort | None = None

    @property
    def port(self) -> int:
        """The number of the port that is open, 0 where it has none or is closed."""
        return getattr(self._port.getHost(), "port", 0) if self._port is not None else 0

    @property
    def address(self) -> tuple[str, int] | None:
        """The interface and the port, None while it is closed. The interface is ``::`` or ``0.0.0.0`` for all of
        them."""
        return (getattr(self._port.getHost(), "host", ""), self.port) if self._port is not None else None

    def hold(self) -> None:
        """Let those who knock wait, in the kernel's queue, until ``take``: the rest is not ready, or busy."""
        if self._port is not None:
            cast(FileDescriptor, self._port).pauseProducing()

    def take(self) -> None:
        """Take in those who knock."""
        if self._port is not None:
            cast(FileDescriptor, self._port).resumeProducing()

    def stopService(self) -> Any:
        """Close the port; connections that are open stay."""
        super().stopService()
        port, self._port = self._port, None
        return port.stopListening() if port is not None else None


class Listener(_Port):
    """A stream port: ``factory`` makes a protocol for each connection that comes to ``endpoint``."""

    def __init__(self, reactor: Any, endpoint: str, factory: IProtocolFactory, what: str) -> None:
        super().__init__(reactor, what)
        self._endpoint = endpoint
        self._factory = factory

    def startService(self) -> None:
        """Open the port. Raises ``CannotOpen``."""
        opened: list[IListeningPort] = []
        failed: list[Failure] = []
        try:
            endpoint = serverFromString(self._reactor, self._endpoint)
        except ValueError as error:
            raise CannotOpen(f"{self._what}: {self._endpoint}: {error}") from None
        endpoint.listen(self._factory).addCallbacks(opened.append, failed.append)
        if failed:
            raise CannotOpen(f"{self._what}: {_why(failed[0])}")
        self._port = opened[0]
        super().startService()

    def take(self) -> None:
        """Take in those who knock, a few in each turn of the reactor."""
        if self._port is not None:
            cast(Port, self._port).numberAccepts = ACCEPTS
        super().take()


class DatagramListener(_Port):
    """A UDP port: ``protocol`` gets its datagrams."""

    def __init__(self, reactor: Any, address: tuple[str, int], protocol: DatagramProtocol, what: str) -> None:
        super().__init__(reactor, what)
        self._interface, self._number = address
        self._protocol = protocol

    def startService(self) -> None:
        """Open the port. Raises ``CannotOpen``."""
        try:
            self._port = self._reactor.listenUDP(self._number, self._protocol, self._interface)
        except CannotListenError as error:
            raise CannotOpen(f"{self._what}: {_why(Failure(error))}") from None
        super().startService()


class ControlSocket(Listener):
    """A Unix socket that only its owner may open, however long the path of its directory is.

    A socket's path is at most 107 bytes long; through ``/proc/self/fd`` it is short.
    """

    def __init__(self, reactor: Any, path: Path, factory: IProtocolFactory) -> None:
        super().__init__(reactor, "", factory, str(path))
        self._path = path
        self._directory = -1

    def startService(self) -> None:
        """Make the socket anew: the caller holds the lock of the directory, so an old one is nobody's."""
        self._path.unlink(missing_ok=True)
        self._directory = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        short = f"/proc/self/fd/{self._directory}/{self._path.name}"
        self._endpoint = f"unix:{quoteStringArgument(short)}:mode=600:lockfile=0"
        super().startService()

    async def _stop(self, closing: Any) -> None:
        await closing
        os.close(self._directory)

    def stopService(self) -> Deferred[None]:
        """Remove the socket."""
        return Deferred.fromCoroutine(self._stop(maybeDeferred(super().stopService)))


def _why(failure: Failure) -> str:
    error = failure.value
    if isinstance(error, CannotListenError):
        where = f"{error.interface}:{error.port}" if error.interface else f"port {error.port}"
        return f"cannot listen on {where}: {getattr(error.socketError, 'strerror', None) or error.socketError}"
    return failure.getErrorMessage()
