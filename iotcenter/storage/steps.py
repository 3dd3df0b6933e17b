"""The steps of a chart: which one fits a span of time, and where its buckets begin in somebody's time zone. No disk.

Times are in milliseconds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

STEPS = (*(n * MINUTE for n in (1, 5, 15, 30)), *(n * HOUR for n in (1, 3, 6, 12)), *(n * DAY for n in (1, 7, 28)))
"""Steps that people think in. With more than 2,000 days a chart goes on in weeks, and in fours of them."""

MONDAY = 4 * DAY
"""Buckets are counted from the first Monday of 1970, so that weeks begin on one."""

LOOK_EVERY = 7 * DAY
"""How far apart the clocks of a zone are looked at: no country changes them and back within a week."""

EPOCH = datetime(1970, 1, 1)


class Stretch(NamedTuple):
    """A stretch of time, and what is added to UTC in it."""

    start: int
    end: int
    offset: int


def fitting(start: int, end: int, most: int, zone: tzinfo) -> int:
    """The finest step with at most ``most`` buckets from ``start`` up to ``end``, whose ends may lie within buckets."""
    first, last = start + offset_at(start, zone) - MONDAY, end - 1 + offset_at(end, zone) - MONDAY
    return next((step for step in STEPS if last // step - first // step < most), STEPS[-1])


def stretches(start: int, end: int, zone: tzinfo) -> list[Stretch]:
    """The time from ``start`` up to ``end`` in stretches between which the clocks of ``zone`` are changed."""
    found = []
    while start < end:
        offset = offset_at(start, zone)
        looks = (*range(start + LOOK_EVERY, end, LOOK_EVERY), end)
        other = next((time for time in looks if offset_at(time, zone) != offset), None)
        until = end if other is None else _first_other(max(start, other - LOOK_EVERY), other, offset, zone)
        found.append(Stretch(start, until, offset))
        start = until
    return found


def offset_at(time: int, zone: tzinfo) -> int:
    """What the clocks of ``zone`` are ahead of UTC."""
    ahead = datetime.fromtimestamp(time / 1000, UTC).astimezone(zone).utcoffset() or timedelta()
    return ahead // timedelta(milliseconds=1)


class Buckets(NamedTuple):
    """Where buckets of ``step`` lie in ``zone``.

    Steps over an hour are counted on the clock: a day is from midnight to midnight, though it has 23 or 25 hours.
    Shorter ones are so as well, but an hour that comes twice is two.
    """

    step: int
    zone: tzinfo

    @property
    def on_the_clock(self) -> bool:
        """Whether stretches before and after a change of the clocks may have parts of one bucket."""
        return self.step > HOUR

    def start(self, number: int, offset: int) -> int:
        """When the bucket of that number begins; ``offset`` is that of a stretch in which a part of it lies."""
        wall = number * self.step + MONDAY
        if not self.on_the_clock:
            return wall - offset
        local = (EPOCH + timedelta(milliseconds=wall)).replace(tzinfo=self.zone)
        return round(local.timestamp() * 1000)


def _first_other(low: int, high: int, offset: int, zone: tzinfo) -> int:
    """The first minute with another offset; ``low`` still has this one, and ``high`` another."""
    while high - low > MINUTE:
        middle = (low + high) // 2
        low, high = (middle, high) if offset_at(middle, zone) == offset else (low, middle)
    return high // MINUTE * MINUTE
