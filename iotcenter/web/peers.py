"""Where connections come from, and what counts as one source of them."""

from __future__ import annotations

from iotcenter.identity.throttle import network_of
from iotcenter.listening import plain_address

LOCAL = "local"
"""Stands for the address of whoever uses the control socket."""

LOOPBACK = frozenset(("127.0.0.1", "::1", LOCAL))
"""This machine: limits per source leave it out, since a proxy on it brings everybody's connections."""


def address_of(peer: object) -> str:
    """The address in one of Twisted's addresses, for people."""
    return plain_address(str(getattr(peer, "host", LOCAL)))


def source_of(address: str) -> str:
    """What limits count: the address, but of IPv6 the network whose addresses one machine can all have."""
    return address if address in LOOPBACK else network_of(address)
