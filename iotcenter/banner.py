"""What a server says in the terminal when it starts: where it is, and how to come in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography.x509 import DNSName, GeneralName, IPAddress

from iotcenter import __version__


@dataclass(frozen=True)
class Opened:
    """What there is to say of a server that has started. Ports are 0 where a listener is off."""

    directory: Path
    created: bool
    https: int
    http: int
    transports: Sequence[tuple[str, int]]
    fingerprint: str
    own_certificate: bool
    names: Iterable[GeneralName]
    setup: str | None


def banner(opened: Opened) -> str:
    """The lines to print, without colours: they go to journals too."""
    lines = [f"IotCenter {__version__}   data {opened.directory}{' (created)' if opened.created else ''}"]
    lines += _web(opened)
    listening = "   ".join(f"{name.upper()} {port}" for name, port in opened.transports if port)
    lines.append(f"  Devices  {listening or 'no transport is on'}")
    if opened.setup is not None:
        lines += _setup(opened, opened.setup)
    lines.append("  Stop: Ctrl+C")
    return "\n".join(lines) + "\n"


def main_address(names: Iterable[GeneralName]) -> str:
    """The address by which others most likely reach this machine: IPv4 of a local network before anything else."""
    addresses = sorted((name.value for name in names if isinstance(name, IPAddress)), key=str)
    outside = [address for address in addresses if not address.is_loopback and not address.is_link_local]
    for version in (4, 6):
        for address in outside:
            if address.version == version:
                return str(address)
    hosts = sorted(name.value for name in names if isinstance(name, DNSName) and name.value != "localhost")
    return hosts[0] if hosts else "localhost"


def in_url(host: str) -> str:
    """``host`` as it stands in a URL: IPv6 addresses in brackets."""
    try:
        return f"[{host}]" if ip_address(host).version == 6 else host
    except ValueError:
        return host


def _web(opened: Opened) -> list[str]:
    urls = []
    if opened.https:
        urls.append(f"https://{in_url(main_address(opened.names))}:{opened.https}/")
    if opened.http:
        urls.append(f"http://127.0.0.1:{opened.http}/")
    lines = [f"  Web      {'   '.join(urls) or 'off'}"]
    if opened.https and opened.own_certificate:
        pairs = ":".join(opened.fingerprint[at : at + 2].upper() for at in range(0, 16, 2))
        lines.append(f"           (own certificate, SHA-256 {pairs}...: your browser warns of it once)")
    return lines


def _setup(opened: Opened, secret: str) -> list[str]:
    where = (
        f"https://{in_url(main_address(opened.names))}:{opened.https}"
        if opened.https
        else f"http://127.0.0.1:{opened.http}"
    )
    return [
        "  No users yet. Open this once, within 24 h:",
        f"    {where}/setup?t={secret}",
        "  Print a new one: iotcenter setup-link",
    ]
