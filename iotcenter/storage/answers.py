"""Questions about the past, and what they are answered with."""

from __future__ import annotations

from datetime import UTC, tzinfo

from msgspec import Struct

from iotcenter.model import DeviceId, Value

Key = tuple[int, int, int]
"""Where a page ended: time, boot and sequence of its last reading."""


class RawColumns(Struct, frozen=True):
    """Readings as they came: Unix times, and values. ``step`` is 0."""

    t: list[float]
    v: list[Value]
    step: float = 0.0


class BucketColumns(Struct, frozen=True):
    """Readings in buckets of ``step`` seconds: when each begins, and what is in it.

    ``min``, ``max`` and ``mean`` are of numbers and truth values (0 and 1), and None where there are only texts; what a
    state was is in ``last``.
    """

    t: list[float]
    count: list[int]
    min: list[float | None]
    max: list[float | None]
    mean: list[float | None]
    last: list[Value]
    step: float


Columns = RawColumns | BucketColumns


class Page(Struct, frozen=True):
    """A piece of a long answer: times and values, and where to go on; without ``after`` it was the last."""

    readings: list[tuple[float, Value]]
    after: Key | None


class BucketPage(Struct, frozen=True):
    """A piece of a long answer in buckets, and from when on to ask for the next; without ``after`` it was the last."""

    columns: BucketColumns
    after: float | None


class Question(Struct, frozen=True):
    """What is asked: the readings of a series from ``start`` up to ``end``, in Unix seconds.

    ``step`` is 0 for raw readings, else how many seconds a bucket has; without it the finest step is chosen that gives
    few enough buckets. Buckets lie as the clocks of ``zone`` go. ``limit`` lowers how many rows an answer may have.
    """

    device: DeviceId
    series: str
    start: float
    end: float
    step: float | None = None
    zone: tzinfo = UTC
    limit: int | None = None
