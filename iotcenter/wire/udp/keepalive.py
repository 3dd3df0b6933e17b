"""How long a device behind NAT may be silent before its mapping is forgotten: found out, and never asked."""

from __future__ import annotations

START = 25.0
"""Seconds to begin with: Linux forgets a mapping after 30."""

SHORTEST = 10.0
LONGEST = 110.0
"""Some mobile networks forget after 12 seconds; Linux after 120 where traffic went both ways."""

GROWTH = 1.5
NEARLY = 0.8
"""The part of the interval that a silence must have lasted to say anything about the whole."""


class Keepalive:
    """Grows while the device's port outlives the interval, and halves when it does not."""

    def __init__(self) -> None:
        self.interval = START
        self.telling = START * NEARLY
        """Seconds of silence that say something about the interval."""

    def heard(self, silence: float, moved: bool) -> bool:
        """A record came after so many seconds, from another address than the last if it ``moved``; whether the interval
        is another now."""
        if moved:
            return self._set(self.interval / 2)
        if silence >= self.telling:
            return self._set(self.interval * GROWTH)
        return False

    def push_died(self) -> bool:
        """What was sent to the device after a silence did not arrive; whether the interval is another now."""
        return self._set(self.interval / 2)

    def _set(self, interval: float) -> bool:
        before = int(self.interval)
        self.interval = min(max(interval, SHORTEST), LONGEST)
        self.telling = self.interval * NEARLY
        return int(self.interval) != before
