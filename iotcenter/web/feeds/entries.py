"""What feeds tell: of each device its newest values, and what happened last."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from iotcenter.model import Device, Event, SeriesValue, UnitSystem
from iotcenter.web.pages.units import quantity

MOST_DEVICES = 200
"""Devices in a feed, those that were heard of last: readers fetch it whole, again and again."""

MOST_VALUES = 20
"""Values of one device."""

MOST_EVENTS = 50

MAX_TITLE = 200
"""Characters of a title: readers show a line."""

# What XML 1.0 cannot hold at all (section 2.2), and marks that turn the direction of the text behind them.
_UNFIT = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Entry:
    """One thing that a feed tells. ``id`` is a URN that never changes, ``time`` when it was as it says."""

    id: str
    title: str
    text: str
    link: str
    time: float


@dataclass(frozen=True)
class Feed:
    """A whole feed. ``address`` is that of the web, ``path`` its own."""

    id: str
    title: str
    address: str
    path: str
    entries: tuple[Entry, ...]

    @property
    def time(self) -> float:
        """When something in it was new last; 0 where it is empty."""
        return max((entry.time for entry in self.entries), default=0.0)


def of_devices(devices: Iterable[Device], address: str, units: UnitSystem) -> list[Entry]:
    """An entry for each device that was ever heard of, the newest first."""
    heard = sorted((one for one in devices if one.last_seen is not None), key=_last_seen, reverse=True)
    return [_of_device(device, address, units) for device in heard[:MOST_DEVICES]]


def of_events(events: Iterable[Event], address: str, server: uuid.UUID) -> list[Entry]:
    """An entry for each event."""
    return [
        Entry(uuid.uuid5(server, f"event {event.id}").urn, text[:MAX_TITLE], text, f"{address}/events", event.time)
        for event, text in ((event, clean(event.text)) for event in events)
    ]


def clean(text: str) -> str:
    """``text`` without what XML cannot hold, and without what would turn the text around it."""
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


def _last_seen(device: Device) -> float:
    return device.last_seen or 0.0


def _of_device(device: Device, address: str, units: UnitSystem) -> Entry:
    known = [series for series in device.series if series.value is not None][:MOST_VALUES]
    values = [f"{clean(series.label)}: {_shown(series, units)}" for series in known]
    title = ", ".join([f"{device.name} is {device.state}", *values])
    lines = [f"{device.name} is {device.state}.", *([f"{clean(device.reason)}."] if device.reason else []), *values]
    link = f"{address}/devices/{quote(device.name)}"
    return Entry(uuid.UUID(device.id).urn, title[:MAX_TITLE], "\n".join(lines), link, _last_seen(device))


def _shown(series: SeriesValue, units: UnitSystem) -> str:
    assert series.value is not None
    return clean(str(quantity(series.value, series.unit, series.decimals, units)))
