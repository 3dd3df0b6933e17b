"""The Host header: under which name somebody found this server.

A page of a stranger whose name is made to lead to 127.0.0.1 (DNS rebinding) is, to the browser, of the same origin as
the server that answers there. It gets no cookie of ours, but it could do what needs none, such as reading /metrics, or
trying passwords. So the HTTP door answers only to names that it has: addresses, ``localhost``, what the machine and the
certificate are called, and ``names`` in [web]. The HTTPS door answers to any name, so that a DynDNS name, or a port
forwarded by a router, needs no setting: a stranger's name does not fit the certificate, and nothing there is trusted by
address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable

from cryptography import x509
from twisted.web.server import Request

from iotcenter.identity.certificates import names_in
from iotcenter.identity.machine import Names, machine_names
from iotcenter.texts import _
from iotcenter.web.doors import Door
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.headers import headers

LOOK = 60.0
"""Seconds between two looks at the machine's names: they seldom change, and a look costs a millisecond."""

USUAL_PORTS = {Door.HTTPS: 443, Door.HTTP: 80}
"""The ports that browsers do not write."""

_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::([0-9]{1,5}))?")


def parse_host(text: str) -> tuple[str, int | None] | None:
    """The name or address in ``text`` (IPv6 in brackets), and the port where there is one; None where it is neither."""
    match = _HOST.fullmatch(text.lower())
    if match is None or (match[2] is not None and not 1 <= int(match[2]) <= 65535):
        return None
    return match[1], int(match[2]) if match[2] is not None else None


def host_of(request: Request, door: Door) -> str:
    """The name or address, and the port where it is not the usual one, by which the request came: for links back.

    Raises ``HTTPProblem`` where there is none or one that can be none, since it would end up in links and commands.
    """
    values = headers(request, "host")
    host = parse_host(values[0]) if len(values) == 1 else None
    if host is None:
        raise HTTPProblem(400, "bad_host", _("the request says by no name or address which server it is for"))
    name, port = host
    return name if port is None or port == USUAL_PORTS.get(door) else f"{name}:{port}"


def bare(name: str) -> str:
    """A name or address without the brackets of IPv6."""
    return name.strip("[]")


class Hosts:
    """Knows by which names the HTTP door may be called."""

    def __init__(
        self,
        configured: tuple[str, ...],
        certificate: Callable[[], x509.Certificate],
        seconds: Callable[[], float],
        machine: Callable[[], Names] = machine_names,
    ) -> None:
        self._configured = frozenset(name.lower().rstrip(".") for name in configured)
        self._certificate = certificate
        self._seconds = seconds
        self._machine = machine
        self._looked = float("-inf")
        self._names: frozenset[str] = frozenset()

    def check(self, request: Request, door: Door) -> None:
        """Raise ``HTTPProblem`` where the request is for somebody else."""
        if door is Door.CONTROL:
            return
        name, _port = parse_host(host_of(request, door)) or ("", None)
        name = bare(name).rstrip(".")
        if door is Door.HTTP and not _is_address(name) and name not in self._configured and name not in self._known():
            raise HTTPProblem(
                421,
                "unknown_host",
                _(
                    "this server does not know itself as %(name)s: open it by its address, over HTTPS, "
                    'or add "%(name)s" to names in [web] of its configuration',
                    name=name,
                ),
            )

    def _known(self) -> frozenset[str]:
        now = self._seconds()
        if abs(now - self._looked) >= LOOK:
            self._looked = now
            self._names = frozenset({"localhost", *_dns(self._machine()), *_dns(names_in(self._certificate()))})
        return self._names


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _dns(names: Iterable[x509.GeneralName]) -> set[str]:
    return {str(name.value).lower() for name in names if isinstance(name, x509.DNSName)}
