"""What a device's page shows of its link: who it is, what it carried, and when it was here in the last day."""

from __future__ import annotations

from typing import NamedTuple

from iotcenter.center.attendance import SLOT, SLOTS
from iotcenter.interfaces import Traffic
from iotcenter.model import Device
from iotcenter.texts import N_
from iotcenter.web.pages.about import in_pairs
from iotcenter.web.parts import Parts

WHOLE = 0.99
"""From which part of a half-hour on a device counts as here all the time: to come back takes some seconds."""

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
    shares = parts.center.devices.attendance(device.name)
    first = (now // SLOT - SLOTS + 1) * SLOT
    starts = [first + place * SLOT for place in range(SLOTS)]
    known = [share for start, share in zip(starts, shares, strict=True) if start + SLOT > device.created]
    return LinkView(
        key=in_pairs(row.key.hex()) if row.key else "",
        expires=row.certificate_expires,
        traffic=parts.center.devices.traffic(device.name),
        strip=tuple(
            HalfHour(start, _word(share) if start + SLOT > device.created else "before")
            for start, share in zip(starts, shares, strict=True)
        ),
        here=round(100 * sum(known) / len(known)) if known else 0,
    )


def _word(share: float) -> str:
    return "all" if share >= WHOLE else "some" if share > 0 else "none"
