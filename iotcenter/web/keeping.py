"""For how long a series is kept: what the API and the page of settings have in common."""

from __future__ import annotations

from iotcenter.config import KeptDays
from iotcenter.model import EventKind, SeriesName
from iotcenter.storage.retention import Keep
from iotcenter.web.api.taken import Taken
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


class RetentionChange(Taken, frozen=True):
    """For how many days ``series`` is kept from now on; what is older is deleted. The rest is as in retention."""

    series: SeriesName
    raw: KeptDays | None = None
    minutes: KeptDays | None = None
    hours: KeptDays | None = None
    days: KeptDays | None = None


async def change_retention(parts: Parts, principal: Principal, device: str, change: RetentionChange) -> Keep:
    """Give a series of ``device`` another rule, and note who did. What is older is deleted, a little at a time. Fails
    with ``NotFound``."""
    known = parts.center.devices.named(device)
    keep = Keep(change.raw, change.minutes, change.hours, change.days)
    await parts.store.readings.set_keep(known.id, change.series, keep)
    parts.store.keep_house()
    text = f"{principal.actor} changed for how long {change.series} of {known.name} is kept"
    parts.center.events.note(EventKind.SERVER_CHANGED, principal.actor, known.name, text)
    return keep
