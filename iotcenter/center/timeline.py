"""Where a device's readings belong in time: at what it says, where its clock is right; otherwise where their order and
their ages put them on the server's clock. No sockets, no disk, no clock.

Devices number their readings in the order in which they took them. So, once a boot had no clock or a wrong one, its
readings are kept in the order of their numbers, whatever delays on the way and jumps of the clock would make of it.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from iotcenter.model import ClockState, Reading
from iotcenter.storage.times import EARLIEST, MOST_AHEAD, MOST_OFF, RELATIVE, fault, place
from iotcenter.wire.codec import DamagedReport
from iotcenter.wire.messages import Report

BOOTS_AT_HAND = 4
"""Boots of a device that are remembered: the present one, and those from which a spool is being emptied."""

STRETCHES = 32
"""Stretches of one boot that are remembered: as many reports as a device has in flight. What comes again after them is
put between those that are left."""

JITTER = 60.0
"""Seconds by which a wrong clock may seem to change from one report to the next, since links delay: more is a jump."""

Numbered = tuple[int, Reading]


class Placed(Struct, frozen=True, order=True, gc=False):
    """A stretch of readings that have their places: the numbers and the times of its first and its last."""

    first: int
    last: int
    begin: float
    end: float


class Timeline:
    """What is known of one device's clock, boot by boot."""

    def __init__(self) -> None:
        self._boots: dict[int, _Boot] = {}
        self.clock = ClockState.UNKNOWN
        """What became known of the device's clock with its last report."""
        self.clock_off: float | None = None
        """By how many seconds it was ahead of the server's then, where there is one."""

    def resume(self, boot: int, last: int, end: float) -> None:
        """After a restart: the boot's reading ``last`` was placed at ``end``."""
        (self._boots.get(boot) or self._add_boot(boot)).note(last, end)

    def place(self, report: Report | DamagedReport, received: float) -> Report | DamagedReport:
        """``report`` with the times at which its readings were measured; the very same where those stand in it.

        What cannot be placed keeps its time: storing refuses it.
        """
        clock = report.time
        if not clock and (known := self._boots.get(report.boot)) is not None and isinstance(report, Report):
            placed = known.follow(report, received)
            if placed is not None:
                self.clock, self.clock_off = ClockState.NONE, None
                return placed
        self.clock = ClockState.RIGHT if clock else ClockState.NONE
        self.clock_off = clock - received if clock else None
        if clock and abs(clock - received) > MOST_OFF:
            self.clock = ClockState.WRONG
        boot = self._boots.get(report.boot) or self._add_boot(report.boot)
        if boot.steady and self.clock is not ClockState.WRONG and isinstance(report, Report):
            times = [one.time for one in report.readings]
            if min(times) >= EARLIEST and max(times) <= received + MOST_AHEAD:  # as nearly always
                boot.note(report.sequence + len(times) - 1, times[-1])
                boot.was_right(clock)
                return report
        numbered = _numbered(report)
        return _with_times(report, boot.place(numbered, clock, received)) if numbered else report

    def stands(self, boot: int, last: int, end: float, clocks: Sequence[float], received: float) -> bool:
        """Whether reports with these ``clocks`` stand as they are, of which the times can be and rise up to ``end``,
        that of the reading ``last``. They are placed then, as by ``place``; otherwise nothing is noted."""
        placed = self._boots.get(boot)
        if placed is None or not placed.steady:
            return False
        if min(clocks) < received - MOST_OFF or max(clocks) > received + MOST_OFF:
            return False
        self.clock = ClockState.RIGHT
        self.clock_off = clocks[-1] - received
        placed.note(last, end)
        placed.was_right(clocks[-1])
        return True

    def forget(self, report: Report | DamagedReport) -> None:
        """``report``, as it was placed, could not be stored: what comes in its stead belongs between its neighbours."""
        boot, numbered = self._boots.get(report.boot), _numbered(report)
        if boot is not None and numbered:
            (first, earliest), (last, latest) = numbered[0], numbered[-1]
            boot.forget(Placed(first, last, earliest.time, latest.time))

    def _add_boot(self, number: int) -> _Boot:
        while len(self._boots) >= BOOTS_AT_HAND:
            del self._boots[min(self._boots)]  # the present one has the highest number
        added = self._boots[number] = _Boot()
        return added


class _Boot:
    """One boot: whether its times are taken as they are, and what has been placed of it."""

    def __init__(self) -> None:
        self.steady = True
        self._last = 0
        self._end = -math.inf
        self._shift = 0.0
        self._right = math.inf
        self._behind: tuple[float, float] | None = None
        self._stretches: list[Placed] = []

    def note(self, last: int, end: float) -> None:
        """While the boot is steady: the newest reading, and its time."""
        if last > self._last:
            self._last, self._end = last, end

    def was_right(self, clock: float) -> None:
        """The device's clock said ``clock``, and was right; 0 where it has none."""
        self._right = clock or math.inf
        self._behind = None

    def forget(self, gone: Placed) -> None:
        """What was placed so is not there."""
        for stretch in tuple(self._stretches):
            if stretch.first <= gone.last and gone.first <= stretch.last:
                self._stretches.remove(stretch)
                below = Placed(stretch.first, gone.first - 1, stretch.begin, gone.begin)
                above = Placed(gone.last + 1, stretch.last, gone.end, stretch.end)
                self._stretches += [part for part in (below, above) if part.first <= part.last]
        self._stretches.sort()

    def follow(self, report: Report, received: float) -> Report | None:
        """What ``place`` makes of ages that follow on the newest reading, as nearly always where there is no clock;
        None where ``report`` is something else. Chips send nothing else, and ``place`` costs them four times as much.
        """
        if self.steady or not self._stretches:
            return None
        newest = self._stretches[-1]
        if report.sequence != newest.last + 1:
            return None
        placed, end = [], newest.end
        for one in report.readings:
            time = received + one.time
            if one.time > 0 or time < EARLIEST:
                return None
            end = time if time >= end else min(end, received)
            placed.append(Reading(one.name, one.value, end))
        self._shift = 0.0
        self._stretches[-1] = Placed(newest.first, newest.last + len(placed), newest.begin, end)
        return Report(report.boot, report.sequence, tuple(placed), report.time)

    def place(self, numbered: Sequence[Numbered], clock: float, received: float) -> list[float]:
        """The times of readings that are not to be taken as they are."""
        times = self._shifted(numbered, clock, received)
        if self.steady and self._shift == 0 and not any(reading.time < RELATIVE for _, reading in numbered):
            known = (self._end if self._last else received) if clock else math.nan
            times = _mended(times, received, known)
            self.note(numbered[-1][0], times[-1])
            return times
        self._end_steadiness()
        times = _mended(times, received, received)
        newest = self._stretches[-1] if self._stretches else None
        if newest is not None and numbered[0][0] == newest.last + 1:  # as nearly always
            times = _in_order(times, newest.end, received)
            self._stretches[-1] = Placed(newest.first, numbered[-1][0], newest.begin, times[-1])
            return times
        return [self._put(sequence, time, received) for (sequence, _), time in zip(numbered, times, strict=True)]

    def _end_steadiness(self) -> None:
        """From now on numbers count, and not times alone."""
        if self.steady:
            self.steady = False
            self._stretches = [Placed(1, self._last, -math.inf, self._end)] if self._last else []

    def _shifted(self, numbered: Iterable[Numbered], clock: float, received: float) -> list[float]:
        """The times on the server's clock, before anything is done about their order."""
        self._shift = self._new_shift(received - clock, clock) if clock else 0.0
        return [place(one.time, received) if one.time < RELATIVE else one.time + self._shift for _, one in numbered]

    def _new_shift(self, off: float, clock: float) -> float:
        """What to add to the device's times, now that its clock says ``clock`` and seems ``off`` behind.

        Of what a link delays nothing is known, but that the smallest difference was delayed least.
        """
        if self._shift and abs(off - self._shift) <= JITTER:
            return min(off, self._shift)
        if abs(off) <= MOST_OFF:
            self.was_right(clock)
            return 0.0
        return 0.0 if self._may_be_delayed(off, clock) else off

    def _may_be_delayed(self, off: float, clock: float) -> bool:
        """Whether a clock that was right, and went on since, may only seem behind: a message was sent again and again,
        say, before it came through. A delay passes; a wrong clock is as wrong a minute later."""
        if off < 0 or clock < self._right:
            return False
        if self._behind is None or abs(off - self._behind[0]) > JITTER:
            self._behind = off, clock
        return clock - self._behind[1] < JITTER

    def _put(self, sequence: int, time: float, received: float) -> float:
        """Place one reading between its neighbours, never later than it was received, and remember it."""
        place = bisect_right(self._stretches, sequence, key=_first)
        before = self._stretches[place - 1] if place else None
        after = self._stretches[place] if place < len(self._stretches) else None
        if before is not None and sequence <= before.last:
            return min(max(time, before.begin), before.end, received)  # it came before: storing leaves it out
        time = max(time, before.end if before is not None else -math.inf)
        time = min(time, received, after.begin if after is not None else math.inf)
        if before is not None and sequence == before.last + 1:
            self._stretches[place - 1] = replace(before, last=sequence, end=time)
        else:
            insort(self._stretches, Placed(sequence, sequence, time, time))
            del self._stretches[:-STRETCHES]
        return time


def _numbered(report: Report | DamagedReport) -> list[Numbered]:
    if isinstance(report, Report):
        return list(enumerate(report.readings, report.sequence))
    return [(report.sequence + offset, reading) for offset, reading in report.good]


def _mended(times: Sequence[float], received: float, known: float) -> list[float]:
    """The same, where a time that cannot be gives way to that of its neighbour, or else to what is ``known`` (NaN: to
    nothing)."""
    nearest = next((time for time in times if fault(time, received) is None), known)
    mended = []
    for time in times:
        nearest = time if fault(time, received) is None else nearest
        mended.append(time if math.isnan(nearest) else nearest)
    return mended


def _in_order(times: Iterable[float], after: float, received: float) -> list[float]:
    """The times of readings that follow on one another and on ``after``, none later than it was received."""
    ordered = []
    for time in times:
        after = min(max(time, after), received)
        ordered.append(after)
    return ordered


def _with_times(report: Report | DamagedReport, times: Sequence[float]) -> Report | DamagedReport:
    if isinstance(report, Report):
        placed = [Reading(one.name, one.value, time) for one, time in zip(report.readings, times, strict=True)]
        return replace(report, readings=tuple(placed))
    good = [
        (offset, Reading(one.name, one.value, time)) for (offset, one), time in zip(report.good, times, strict=True)
    ]
    return replace(report, good=tuple(good))


_first = attrgetter("first")
