"""Whether the network changed, so that a device that waits does not wait in vain."""

from __future__ import annotations

import psutil

LOOK_EVERY = 3.0
"""Seconds between two looks while the agent waits for its next try; each takes half a millisecond."""


NO_NETWORK: frozenset[tuple[str, str]] = frozenset()


def network_state() -> frozenset[tuple[str, str]]:
    """The addresses of the interfaces that are up: a cable plugged in, a modem that dialled, a Wi-Fi that was joined
    change it."""
    try:
        up = {name for name, stats in psutil.net_if_stats().items() if stats.isup and name != "lo"}
        addresses = psutil.net_if_addrs().items()
    except OSError:
        return NO_NETWORK
    return frozenset((name, address.address) for name, found in addresses if name in up for address in found)
