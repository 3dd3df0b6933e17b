"""Buckets with what waits to be merged, so that a chart is complete up to the last reading that was acknowledged."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from iotcenter.model import Value
from iotcenter.storage.sql import select
from iotcenter.storage.steps import MONDAY, Buckets, Stretch
from iotcenter.storage.sums import Sum
from iotcenter.storage.unmerged import Waiting

NEWER = "SELECT 1 FROM reading WHERE series = ? AND time > ? AND time < ? LIMIT 1"


def overlay(
    connection: sqlite3.Connection,
    series: int,
    merged: Sequence[Sum],
    waiting: Sequence[Waiting],
    buckets: Buckets,
    parts: Sequence[Stretch],
) -> list[Sum]:
    """``merged``, the buckets of a series, and in them what of ``waiting``, in the order of time, lies in ``parts``."""
    sums = {one.start: one for one in merged}
    for start, end, offset in parts:
        numbered = [((one[0] + offset - MONDAY) // buckets.step, one) for one in between(waiting, start, end)]
        for number, group in groupby(numbered, itemgetter(0)):
            found = [one for _, one in group]
            begins, ends = (buckets.start(each, offset) for each in (number, number + 1))
            newest, last = found[-1]
            one = sums.setdefault(begins, Sum(begins))
            if one.count and select(connection, NEWER, series, newest, min(ends, end)):
                newest = -1  # what came last is not what was measured last
            _add(one, [value for _, value in found], newest, last)
    return [sums[begins] for begins in sorted(sums)]


def between(waiting: Sequence[Waiting], start: int, end: int) -> Sequence[Waiting]:
    """What of ``waiting``, in the order of time, lies from ``start`` up to ``end``."""
    return waiting[bisect_left(waiting, start, key=_time) : bisect_left(waiting, end, key=_time)]


def _add(one: Sum, values: Sequence[Value], newest: int, last: Value) -> None:
    numbers = [value for value in values if not isinstance(value, str)]
    low, high = min(numbers, default=None), max(numbers, default=None)
    one.add(len(values), len(values) - len(numbers), float(sum(numbers)), low, high, newest, last)


_time = itemgetter(0)
