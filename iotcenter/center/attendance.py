"""When a device was here: a day in half-hours, in a hundred bytes that are written down as it is seen."""

from __future__ import annotations

import struct

SLOT = 1800.0
"""Seconds of one half-hour; they begin at the full and at the half hour of UTC, as they do in most time zones."""

SLOTS = 48

_FORMAT = f">I{SLOTS}H"


class Attendance:
    """The seconds in each of the last 48 half-hours in which a device was here. The wall clock is given with each
    call."""

    def __init__(self, packed: bytes | None = None) -> None:
        """``packed`` is what ``pack`` gave; what cannot be read is forgotten."""
        self._last = 0
        self._seconds = [0.0] * SLOTS
        self._since: float | None = None
        if packed is not None and len(packed) == struct.calcsize(_FORMAT):
            self._last, *seconds = struct.unpack(_FORMAT, packed)
            self._seconds = [float(one) for one in seconds]

    def came(self, now: float) -> None:
        """The device is here from now on."""
        self._since = now

    def note(self, now: float) -> None:
        """Count the time up to now, where the device is here."""
        if self._since is None:
            return
        self._advance(now)
        oldest = (self._last - SLOTS + 1) * SLOT
        at, self._since = max(min(self._since, now), oldest), now
        while at < now:
            slot = int(at // SLOT)
            end = min((slot + 1) * SLOT, now)
            place = SLOTS - 1 - (self._last - slot)
            if 0 <= place < SLOTS:
                self._seconds[place] = min(self._seconds[place] + end - at, SLOT)
            at = end

    def went(self, now: float) -> None:
        """The device is gone."""
        self.note(now)
        self._since = None

    def shift(self, jump: float) -> None:
        """The clock was set: the device is here for as long as before."""
        if self._since is not None:
            self._since += jump

    def seconds(self, now: float) -> tuple[float, ...]:
        """How long the device was here in each half-hour, oldest first; the last is the present one."""
        self.note(now)
        self._advance(now)
        return tuple(self._seconds)

    def pack(self) -> bytes:
        """What is to be kept."""
        return struct.pack(_FORMAT, self._last, *(round(seconds) for seconds in self._seconds))

    def _advance(self, now: float) -> None:
        """Begin the half-hour of now, where it has not begun. A clock that was set back overwrites what it said."""
        slot = max(int(now // SLOT), 0)
        ahead = slot - self._last
        if ahead >= SLOTS or ahead <= -SLOTS:
            self._seconds = [0.0] * SLOTS
        elif ahead > 0:
            self._seconds = self._seconds[ahead:] + [0.0] * ahead
        elif ahead < 0:
            self._seconds = [0.0] * -ahead + self._seconds[:ahead]
        self._last = slot
