"""What a device's page shows of its link: who it is, what it carried, and when it was here in the last day."""

from __future__ import annotations

from typing import NamedTuple

from iotcenter.center.attendance import SLOT, SLOTS
from iotcenter.interfaces import Traffic
from iotcenter.model import Device
from iotcenter.texts import N_
from iotcenter.web.pages.about import in_pairs
from iotcenter.web.parts import Parts

SLACK = 15.0
"""Seconds of a half-hour that a device may be away and count as here all the time: to come back takes some."""

WORDS = {
    "all": N_("here all the time"),
    "some": N_("here for a part of it"),
    "none": N_("not here"),
    "before": N_("not known yet"),
}
"""What is said of a half-hour."""


class HalfHour(NamedTuple):
    """A half-hour: when it began, and a word for how much of it the device was here."""

    start: float
    here: str


class LinkView(NamedTuple):
    """All of it. ``key`` is the SHA-256 of the device's public key, ``expires`` the end of its certificate; ``here`` is
    the part of the last day in which it was here, in hundredths, of what is known of it."""

    key: str
    expires: float | None
    traffic: Traffic | None
    strip: tuple[HalfHour, ...]
    here: int


async def link_view(parts: Parts, device: Device, now: float) -> LinkView:
    """What there is to show of the link of ``device``."""
    row = await parts.store.devices.get(device.id)
    strip, here = _strip(parts.center.devices.attendance(device.name), device.created, now)
    return LinkView(
        key=in_pairs(row.key.hex()) if row.key else "",
        expires=row.certificate_expires,
        traffic=parts.center.devices.traffic(device.name),
        strip=strip,
        here=here,
    )


def _strip(seconds: tuple[float, ...], created: float, now: float) -> tuple[tuple[HalfHour, ...], int]:
    """The half-hours, and for how many hundredths of them the device was here, since it was ``created``."""
    first = (now // SLOT - SLOTS + 1) * SLOT
    halves = []
    for place, here in enumerate(seconds):
        start = first + place * SLOT
        length = min(start + SLOT, now) - max(start, created)
        halves.append(HalfHour(start, _word(here, length)))
    known = now - max(first, created)
    return tuple(halves), round(100 * min(sum(seconds) / known, 1.0)) if known > 0 else 0


def _word(here: float, length: float) -> str:
    if length <= 0:
        return "before"
    return "all" if here >= length - SLACK else "some" if here > 0 else "none"
