"""Times as the person who looks reads them: in their zone, and as how long ago.

``web/static/format.js`` says the same in the browser; ``tests/web/pages/formats.json`` holds both to one result.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from iotcenter.web.pages.units import span

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

NOW = 5.0
"""Seconds that count as now: devices that report every second would flicker otherwise."""

TIMES = "Write a time such as 2026-11-22 14:00 or now-6h (s, m, h, d, w)."
"""What to say where a field holds no time."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

OLD_REGIONS = ("Etc", "SystemV", "US", "Brazil", "Canada", "Chile", "Mexico", "posix", "right")
"""Regions of the time zone database whose zones have newer names."""


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """The time zones that people may choose from: UTC first, then by region and city."""
    cities = (name for name in available_timezones() if "/" in name and name.partition("/")[0] not in OLD_REGIONS)
    return ("UTC", *sorted(cities))


def zone(name: str) -> ZoneInfo:
    """The time zone of that name; UTC where this machine does not know it (any more)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


class Moment:
    """Now, as seen from a time zone: turns Unix seconds into words."""

    def __init__(self, now: float, time_zone: str = "UTC") -> None:
        self.now = now
        self.zone = zone(time_zone)

    def local(self, time: float) -> datetime:
        """``time`` in the zone; one that no calendar holds is its nearest end."""
        bounded = min(max(time, -62135596800.0 + 86400), 253402300799.0 - 86400)
        return (EPOCH + timedelta(seconds=bounded)).astimezone(self.zone)

    def iso(self, time: float) -> str:
        """For machines: ``2026-11-22T14:03:22+01:00``."""
        return self.local(time).isoformat(timespec="seconds")

    def exact(self, time: float) -> str:
        """To the second: ``22 Nov 2026, 14:03:22``."""
        at = self.local(time)
        return f"{at.day} {MONTHS[at.month - 1]} {at.year}, {at:%H:%M:%S}"

    def short(self, time: float) -> str:
        """The time of day, and the day where it is another than today: ``14:03:22``, ``21 Nov, 14:03:22``."""
        at, today = self.local(time), self.local(self.now)
        if at.date() == today.date():
            return f"{at:%H:%M:%S}"
        year = "" if at.year == today.year else f" {at.year}"
        return f"{at.day} {MONTHS[at.month - 1]}{year}, {at:%H:%M:%S}"

    def ago(self, time: float) -> str:
        """How long ago, or in how long: ``now``, ``12 s ago``, ``in 3 min``."""
        passed = self.now - time
        if abs(passed) < NOW:
            return "now"
        return f"{coarse(passed)} ago" if passed > 0 else f"in {coarse(-passed)}"


def coarse(seconds: float) -> str:
    """A length of time in its largest unit: ``12 s``, ``3 min``, ``2 h``, ``5 d``."""
    if seconds < 60:
        return span(seconds)
    for name, size, until in (("min", 60, 3600), ("h", 3600, 2 * 86400)):
        if seconds < until:
            return f"{int(seconds // size)} {name}"
    return f"{int(seconds // 86400)} d"
