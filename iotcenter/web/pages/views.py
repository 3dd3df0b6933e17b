"""What pages show of devices, worked out from what the center knows of them."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from iotcenter.center.known import Brief
from iotcenter.model import CommandOffer, Device, PresenceState, SeriesValue
from iotcenter.texts import N_

STALE_AFTER = 3.0
"""How many of its intervals a series may miss before its value is shown as stale: as many as make its device late."""

STALE_AT_LEAST = 10.0

CARDS = 60
"""The most cards on the dashboard: more than anybody looks at, and as many as a browser draws without a pause."""

PRIMARY = 5
"""The most values on a card."""

PAGE = 100
"""Devices on one page of the list."""

SORTS = {"name": N_("Name"), "state": N_("State"), "seen": N_("Last seen")}
"""The orders that the list of devices can be in."""

_URGENCY = (PresenceState.OFFLINE, PresenceState.LATE, PresenceState.ONLINE)


def is_stale(series: SeriesValue, device: Device, now: float) -> bool:
    """Whether the newest value says little about now: its device is gone, or it should have been followed by others."""
    if device.state is PresenceState.OFFLINE or series.time is None:
        return True
    return series.every > 0 and now - series.time > max(STALE_AFTER * series.every, STALE_AT_LEAST)


def counts(devices: Iterable[Brief]) -> dict[PresenceState, int]:
    """How many devices are in each state, in the order in which they are shown."""
    found = Counter(device.state for device in devices)
    return {state: found[state] for state in PresenceState}


def shape(device: Device) -> str:
    """What a card depends on besides live values: while it stays the same, the card in the browser needs no other."""
    rows = [(one.name, one.label, one.unit, one.decimals) for one in device.series]
    return _mark([device.name, device.app, rows, device.photo])


def layout(device: Device) -> str:
    """The same for all values of a device."""
    return _mark([(one.name, one.label, one.unit, one.decimals) for one in device.series])


def offering(device: Device) -> str:
    """The same for its commands."""
    return _mark([device.revoked, device.commands])


def _mark(parts: object) -> str:
    return f"{zlib.crc32(msgspec.json.encode(parts)):08x}"


def by_danger(device: Device) -> tuple[CommandOffer, ...]:
    """The commands that a device offers, as it lists them, with the dangerous ones last."""
    return tuple(sorted(device.commands, key=lambda offer: offer.confirm))


@dataclass(frozen=True)
class Selection:
    """One page of the list of devices: their names, and how many there are besides."""

    names: Sequence[str]
    matching: int
    page: int
    pages: int

    @property
    def first(self) -> int:
        """The place of the first device shown among those that match, from 1."""
        return (self.page - 1) * PAGE + 1

    @property
    def last(self) -> int:
        """The place of the last one."""
        return self.first + len(self.names) - 1


def select(devices: Iterable[Brief], text: str, state: str, sort: str, page: int) -> Selection:
    """The devices whose name, address or agent holds ``text``, in that state, in that order."""
    wanted = text.strip().lower()
    found = [device for device in devices if _holds(device, wanted) and state in ("", device.state)]
    found.sort(key=_ORDERS.get(sort, _by_name))
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(page, 1), pages)
    shown = [device.name for device in found[(page - 1) * PAGE : page * PAGE]]
    return Selection(shown, len(found), page, pages)


def _holds(device: Brief, text: str) -> bool:
    return any(text in part.lower() for part in (device.name, device.address, device.agent))


def _by_name(device: Brief) -> tuple[float, str]:
    return 0.0, device.name


def _by_state(device: Brief) -> tuple[float, str]:
    return float(_URGENCY.index(device.state)), device.name


def _by_seen(device: Brief) -> tuple[float, str]:
    return -(device.last_seen or 0.0), device.name


_ORDERS = {"name": _by_name, "state": _by_state, "seen": _by_seen}
