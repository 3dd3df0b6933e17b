"""By which names and addresses this machine can be reached, as far as it knows itself."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
from cryptography import x509

Names = frozenset[x509.GeneralName]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

FAMILIES = (socket.AF_INET, socket.AF_INET6)

MAX_NAMES = 200
"""How many names a certificate may bear: a machine full of containers still has one that fits into a handshake."""

MAX_LINES = 10_000
"""How much of a file of hosts is looked at: some people keep whole blocklists there."""

TEMPORARY = 0x01
"""The kernel's flag for an IPv6 address of the day (RFC 8981), which is for outgoing connections only."""


def machine_names(hosts: Path = Path("/etc/hosts"), flags: Path = Path("/proc/net/if_inet6")) -> Names:
    """The host's names and addresses as they are now. Asks no name server: that could block for seconds."""
    host = socket.gethostname().lower()
    found = {"localhost", host, *_aliases(host, hosts)}
    if "." not in host:
        found.add(f"{host}.local")  # by which multicast DNS (RFC 6762) finds it, as on a Raspberry Pi
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in sorted(found) if _is_dns_name(name)]
    names += [x509.IPAddress(address) for address in sorted(_addresses(flags), key=lambda one: (one.version, int(one)))]
    return frozenset(names[:MAX_NAMES])


def name_of(text: str) -> x509.GeneralName:
    """A host name or an address as it stands in a certificate."""
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text.lower())


def _aliases(host: str, hosts: Path) -> Iterator[str]:
    """What the file of hosts calls ``host`` besides, such as its full name with the domain."""
    for line in _lines(hosts):
        _address, *names = line.partition("#")[0].lower().split() or [""]
        if host in names:
            yield from names


def _addresses(flags: Path) -> set[Address]:
    """What a browser can be given: no address that needs an interface beside it, and none that is gone tomorrow."""
    rows = [row for of_interface in psutil.net_if_addrs().values() for row in of_interface if row.family in FAMILIES]
    return {ipaddress.ip_address(row.address) for row in rows if "%" not in row.address} - _temporary(flags)


def _temporary(flags: Path) -> set[Address]:
    rows = [line.split() for line in _lines(flags)]
    return {ipaddress.IPv6Address(bytes.fromhex(row[0])) for row in rows if int(row[4], 16) & TEMPORARY}


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for _number, line in zip(range(MAX_LINES), file, strict=False):
                yield line
    except OSError:
        return  # such as without IPv6


def _is_dns_name(name: str) -> bool:
    return re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?", name) is not None
