"""Whether a series rises or falls, judged against its own noise over the last hour."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import sqrt

from iotcenter.model import Trend

MINUTES = 60
"""Minutes that are looked back."""

ENOUGH = 10
"""Minutes with readings below which nothing is said."""

SURE = 4.0
"""How many of its standard errors a slope must be away from none. Noise alone, of which one minute's follows on the
last's, reaches 3 now and then."""

CLEAR = 2.0
"""How many times the scatter around the line the series must have moved along it: less is not worth an arrow."""

MINUTE = 60.0


class TrendOf:
    """The trend of one series of numbers, from the means of its minutes: some 5 kB at most, and cheap to add to."""

    __slots__ = ("_count", "_judged", "_minute", "_minutes", "_sum")

    def __init__(self) -> None:
        self._minutes: deque[tuple[int, float]] = deque()
        self._minute = 0
        self._sum = 0.0
        self._count = 0
        self._judged: Trend | None = None

    def add(self, value: float, time: float) -> None:
        """A newer reading, with its Unix time."""
        minute = int(time // MINUTE)
        if minute != self._minute:
            self._close(minute)
        self._sum += value
        self._count += 1

    def recall(self, points: Sequence[tuple[int, float]]) -> None:
        """What was before the first reading that was added here: minutes and their means, oldest first."""
        first = self._minutes[0][0] if self._minutes else self._minute
        before = [point for point in points if not self._count or point[0] < first]
        if before and not self._count:
            self._minute, self._sum = before.pop()
            self._count = 1
        self._minutes.extendleft(reversed(before))
        self._judged = judge(self._minutes)

    def at(self, time: float) -> Trend | None:
        """The trend up to the last whole minute; None while too little is known, or where nothing came lately."""
        if self._count == 0 or time // MINUTE - self._minute >= MINUTES:
            return None
        return self._judged

    def _close(self, minute: int) -> None:
        """A minute is over: it counts, and those of over an hour ago no longer do."""
        if self._count:
            self._minutes.append((self._minute, self._sum / self._count))
        while self._minutes and self._minutes[0][0] < minute - MINUTES:
            self._minutes.popleft()
        self._minute, self._sum, self._count = minute, 0.0, 0
        self._judged = judge(self._minutes)


def judge(points: deque[tuple[int, float]]) -> Trend | None:
    """The trend of ``points``, minutes and their means: that of the straight line nearest to them (least squares),
    where it stands out from the scatter around it."""
    count = len(points)
    if count < ENOUGH:
        return None
    middle = sum(minute for minute, _ in points) / count
    mean = sum(value for _, value in points) / count
    spread = sum((minute - middle) * (minute - middle) for minute, _ in points)
    slope = sum((minute - middle) * (value - mean) for minute, value in points) / spread
    off = [value - mean - slope * (minute - middle) for minute, value in points]
    scatter = sqrt(sum(one * one for one in off) / (count - 2))
    moved = slope * (points[-1][0] - points[0][0])
    rounding = 1e-9 * max(1.0, abs(mean))  # what sums of equal numbers differ by
    if abs(moved) <= max(CLEAR * scatter, rounding) or abs(slope) * sqrt(spread) <= SURE * scatter:
        return Trend.STEADY
    return Trend.RISING if slope > 0 else Trend.FALLING
