"""Under which address this server is reached: for links, and for the line that is pasted on a device."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from twisted.web.server import Request

from iotcenter.identity.errors import Unfit
from iotcenter.texts import _
from iotcenter.web.doors import Door
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.hosts import USUAL_PORTS, bare, host_of, parse_host
from iotcenter.web.parts import Parts

_EVERYWHERE = ("", "0.0.0.0", "::")
_PROBES = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses that nobody has (RFC 5737, RFC 3849): which of ours would speak to them?"""


@dataclass(frozen=True)
class Place:
    """Where a device finds this server: ``host`` and ``port`` of the link, ``web`` for downloads, empty where HTTPS is
    shut."""

    host: str
    port: int
    web: str


class Addresses:
    """Works out addresses from how somebody came, else from the configuration, else from the machine."""

    def __init__(self, parts: Parts) -> None:
        self._ports = parts.ports
        self._names = parts.names

    def web(self, request: Request | None = None, door: Door = Door.CONTROL) -> str:
        """The address of the web, such as ``https://192.168.1.20:8443``; as it was found, where it was found from
        elsewhere."""
        if request is not None and door is Door.HTTPS and not _is_loopback(host_of(request, door)):
            return f"https://{host_of(request, door)}"
        if self._ports.https is not None:
            return self._url(Door.HTTPS, self.host(self._ports.https[0], request, door), self._ports.https[1])
        interface, port = self._ports.http or ("", 80)
        return self._url(Door.HTTP, self.host(interface, request, door), port)

    def place(self, request: Request, door: Door, wanted: str | None = None) -> Place:
        """Where a new device finds this server: ``wanted`` (a host, perhaps with the port of HTTPS), or the same as who
        asks found it.

        Raises ``Unfit`` where ``wanted`` is no address, and ``HTTPProblem`` where devices cannot come in at all.
        """
        if self._ports.tls is None:
            raise HTTPProblem(409, "tls_off", _("devices cannot come in: tls is off in the configuration"))
        web = self._wanted(wanted) if wanted else self.web(request, door)
        return Place(_host_in(web), self._ports.tls[1], web if web.startswith("https://") else "")

    def named(self, wanted: str) -> str:
        """The host in ``wanted``, as in ``place``. Raises ``Unfit``."""
        return _host_in(self._wanted(wanted))

    def _wanted(self, wanted: str) -> str:
        host = parse_host(wanted.strip())
        if host is None:
            raise Unfit(
                "address",
                _("an address is a host name or an IP address (IPv6 in brackets), and a port where it needs one"),
            )
        if self._ports.https is None:
            return self._url(Door.HTTP, host[0], host[1] or 80)
        return self._url(Door.HTTPS, host[0], host[1] or self._ports.https[1])

    def host(self, interface: str, request: Request | None, door: Door) -> str:
        """Where a port on ``interface`` is found, as far as the way is known by which somebody came."""
        if interface not in _EVERYWHERE:
            return interface
        if request is not None and door is not Door.CONTROL and not _is_loopback(host_of(request, door)):
            return (parse_host(host_of(request, door)) or ("", None))[0]
        return self._names[0] if self._names else main_address()

    def _url(self, door: Door, host: str, port: int) -> str:
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"{door.scheme}://{host}" if port == USUAL_PORTS[door] else f"{door.scheme}://{host}:{port}"


def _host_in(url: str) -> str:
    host, _ = parse_host(url.partition("://")[2]) or ("", None)
    return bare(host)


def main_address() -> str:
    """The address by which this machine speaks to the rest of the world. Nothing is sent."""
    for family, probe in _PROBES:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                sock.connect((probe, 9))
                return str(sock.getsockname()[0])
            except OSError:
                continue
    return "127.0.0.1"


def _is_loopback(host: str) -> bool:
    name, _ = parse_host(host) or ("", None)
    try:
        return ipaddress.ip_address(bare(name)).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
