"""What this machine is called on the network: what a person would otherwise have to look up."""

from __future__ import annotations

import socket

import psutil


def own_ip(host: str) -> str:
    """The address by which this machine speaks to ``host``; nothing is sent. Empty where there is none."""
    try:
        family, kind, *_, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def own_mac(ip: str) -> str:
    """The MAC address of the interface with the address ``ip``; empty where it has none, as on loopback."""
    for addresses in psutil.net_if_addrs().values():
        if any(address.address.partition("%")[0] == ip for address in addresses):
            return next((one.address for one in addresses if one.family == psutil.AF_LINK and is_mac(one.address)), "")
    return ""


def is_mac(text: str) -> bool:
    """Whether ``text`` is an address that tells one interface from others."""
    return any(letter not in "0:-" for letter in text)
