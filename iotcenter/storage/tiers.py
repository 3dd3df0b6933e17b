"""The sizes of bucket in which readings are summed up as they come: minutes, hours and days, of UTC."""

from __future__ import annotations

from typing import NamedTuple


class Tier(NamedTuple):
    """One size of bucket, and the table that has it. ``width`` is in milliseconds.

    ``few`` is how many readings a bucket may have and still be without finer buckets: so few raw readings are read
    nearly as fast as finer buckets would be, and are there anyhow.
    """

    table: str
    width: int
    few: int


DAY = Tier("day", 86_400_000, 96)
HOUR = Tier("hour", 3_600_000, 120)
MINUTE = Tier("minute", 60_000, 0)
RAW = Tier("reading", 1, 0)

TIERS = (DAY, HOUR, MINUTE)
"""From the coarsest to the finest. The bounds of ``few`` rise: what is few for a day is few for each of its hours."""

LEVELS = (*TIERS, RAW)
"""The tiers, and below them the readings themselves."""


def finer(level: Tier) -> Tier:
    """The level below."""
    return LEVELS[LEVELS.index(level) + 1]
