"""Times as the person who looks reads them: in their zone, and as how long ago.

``web/static/format.js`` says the same in the browser; ``tests/web/pages/formats.json`` holds both to one result.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from iotcenter.model import Hours, Preferences
from iotcenter.texts import N_, _
from iotcenter.web.clocks import counts_to_twelve
from iotcenter.web.pages.units import THIN_SPACE, span
from iotcenter.web.when import known_zone

MONTHS = (
    N_("Jan"),
    N_("Feb"),
    N_("Mar"),
    N_("Apr"),
    N_("May"),
    N_("Jun"),
    N_("Jul"),
    N_("Aug"),
    N_("Sep"),
    N_("Oct"),
    N_("Nov"),
    N_("Dec"),
)

NOW = 5.0
"""Seconds that count as now: devices that report every second would flicker otherwise."""

TIMES = N_("Write a time such as 2026-11-22 14:00 or now-6h (s, m, h, d, w).")
"""What to say where a field holds no time."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

OLD_REGIONS = ("Etc", "SystemV", "US", "Brazil", "Canada", "Chile", "Mexico", "posix", "right")
"""Regions of the time zone database whose zones have newer names."""


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """The time zones that people may choose from: UTC first, then by region and city."""
    cities = (name for name in available_timezones() if "/" in name and name.partition("/")[0] not in OLD_REGIONS)
    return ("UTC", *sorted(cities))


class Moment:
    """Now, as seen from a time zone: turns Unix seconds into words. Clocks go up to 12 where ``twelve`` is true."""

    def __init__(self, now: float, time_zone: str = "UTC", twelve: bool = False) -> None:
        self.now = now
        self.zone = known_zone(time_zone) or ZoneInfo("UTC")
        self.twelve = twelve

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
        return f"{_day(at)} {at.year}, {self._clock(at)}"

    def short(self, time: float) -> str:
        """The time of day, and the day where it is another than today: ``14:03:22``, ``21 Nov, 14:03:22``."""
        return self._with_day(time, self._clock(self.local(time)))

    def minute(self, time: float) -> str:
        """The same without seconds, for what is as long as minutes: ``14:03``, ``21 Nov, 14:03``."""
        return self._with_day(time, self._clock(self.local(time), "%M"))

    def ago(self, time: float) -> str:
        """How long ago, or in how long: ``now``, ``12 s ago``, ``in 3 min``."""
        passed = self.now - time
        if abs(passed) < NOW:
            return _("now")
        return _("%(length)s ago", length=coarse(passed)) if passed > 0 else _("in %(length)s", length=coarse(-passed))

    def _with_day(self, time: float, clock: str) -> str:
        at, today = self.local(time), self.local(self.now)
        if at.date() == today.date():
            return clock
        year = "" if at.year == today.year else f" {at.year}"
        return f"{_day(at)}{year}, {clock}"

    def _clock(self, at: datetime, below: str = "%M:%S") -> str:
        """The time of day: ``14:03:22``, or ``2:03:22 pm``; ``below`` is what is shown below the hours."""
        if not self.twelve:
            return f"{at:%H}:{at:{below}}"
        return f"{(at.hour - 1) % 12 + 1}:{at:{below}}{THIN_SPACE}{'am' if at.hour < 12 else 'pm'}"


def _day(at: datetime) -> str:
    """The day without the year: ``22 Nov``."""
    return _("%(day)s %(month)s", day=at.day, month=_(MONTHS[at.month - 1]))


def moment_of(now: float, preferences: Preferences, languages: tuple[str, ...] = ()) -> Moment:
    """Now, as somebody likes to see it, whose browser asks for ``languages``."""
    spoken = (preferences.language, *languages) if preferences.language else languages
    automatic = preferences.hours is Hours.AUTO and counts_to_twelve(spoken)
    return Moment(now, preferences.time_zone, automatic or preferences.hours is Hours.TWELVE)


def coarse(seconds: float) -> str:
    """A length of time in its largest unit: ``12 s``, ``3 min``, ``2 h``, ``5 d``."""
    if seconds < 60:
        return span(seconds)
    for name, size, until in (("min", 60, 3600), ("h", 3600, 2 * 86400)):
        if seconds < until:
            return f"{int(seconds // size)} {name}"
    return f"{int(seconds // 86400)} d"
