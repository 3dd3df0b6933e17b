"""Charts: up to eight series over any time, with the numbers behind them as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from msgspec import Struct
from twisted.web.server import Request

from iotcenter.model import Device, SeriesValue, Value
from iotcenter.storage.answers import BucketColumns, Columns
from iotcenter.storage.errors import TooMuch
from iotcenter.texts import N_, _
from iotcenter.web.guard import page
from iotcenter.web.pages.bookmarks import bookmark
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.pages.times import TIMES
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal
from iotcenter.web.when import parse_span, zone_named

MOST = 8
"""Series in one chart: as many as there are colours and dashes that can be told apart."""

ROWS = 100
"""Rows of the table: the newest; the CSV has them all."""

RANGES = {
    "now-15m": "15 m",
    "now-1h": "1 h",
    "now-6h": "6 h",
    "now-24h": "24 h",
    "now-7d": "7 d",
    "now-30d": "30 d",
    "now-365d": N_("1 y"),
}
"""The ranges that are one click away, each up to now."""

STEPS = {"auto": N_("Auto"), "0": N_("Raw"), "60": N_("Minute"), "3600": N_("Hour"), "86400": N_("Day")}
"""What readings can be summed up by."""


class ChartQuery(Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """What stands in the address: any chart can be kept as a bookmark.

    ``s`` are series as ``DEVICE.SERIES``; ``device`` is the one whose series are offered.
    """

    s: tuple[str, ...] = ()
    start: str = "now-24h"
    end: str = "now"
    step: str = "auto"
    device: str = ""

    def link(self, **changes: object) -> str:
        """The address of this chart with something else about it."""
        return bookmark("/charts", self, **changes)


@dataclass(frozen=True)
class Charted:
    """One series of a chart: what is drawn, and what stands below it. ``problem`` says why there is nothing."""

    key: str
    device: Device
    series: SeriesValue
    columns: Columns | None
    problem: str = ""

    @property
    def label(self) -> str:
        """What people call it."""
        return f"{self.device.name} \N{MIDDLE DOT} {self.series.label}"

    @property
    def statistics(self) -> Statistics | None:
        """Count, least, mean, greatest and last; None where there are no numbers."""
        return _statistics(self.columns) if self.columns is not None else None


@dataclass(frozen=True)
class Statistics:
    """What a series did in the time that is shown. All but ``count`` and ``last`` are None where it has only texts."""

    count: int
    last: Value
    low: float | None = None
    mean: float | None = None
    high: float | None = None


class ChartPages:
    """The page for looking back."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer

    @page("/charts")
    async def show(self, request: Request, principal: Principal, query: ChartQuery) -> str:
        """The chart that the address says. What is wrong with it is said at the fields, and the rest is shown."""
        devices = self._parts.center.devices.some((query.device, *map(_device_of, query.s)))
        query = msgspec.structs.replace(
            query, s=_known(query.s, devices), step=query.step if query.step in STEPS else "auto"
        )
        span, problems = self._span(query, principal)
        charted = [await self._chart(key, devices, span, query, principal) for key in query.s] if span else []
        return self._renderer.render(
            "charts.html",
            principal,
            place="charts",
            query=query,
            charted=charted,
            span=span,
            problems=problems,
            names=self._parts.center.devices.names(),
            offered=devices.get(query.device),
            taken=_taken(charted),
            rows=_rows(charted),
            ranges=RANGES,
            steps=STEPS,
            most=MOST,
        )

    def _span(self, query: ChartQuery, principal: Principal) -> tuple[tuple[float, float] | None, dict[str, str]]:
        zone = zone_named(principal.time_zone)
        span, problems = parse_span(query.start, query.end, self._parts.clock.seconds(), zone)
        if span is not None and span[0] >= span[1]:
            return None, {"to": _("It ends before it begins.")}
        return span, dict.fromkeys(problems, _(TIMES))

    async def _chart(
        self,
        key: str,
        devices: dict[str, Device],
        span: tuple[float, float],
        query: ChartQuery,
        principal: Principal,
    ) -> Charted:
        name, _, series = key.partition(".")
        device = devices[name]
        about = next((one for one in device.series if one.name == series), SeriesValue(series, series, ""))
        step = None if query.step == "auto" else float(query.step)
        zone = zone_named(principal.time_zone)
        try:
            columns = await self._parts.center.history.query(name, series, *span, step, zone)
        except TooMuch as problem:
            return Charted(key, device, about, None, str(problem))
        return Charted(key, device, about, columns)


def _device_of(key: str) -> str:
    return key.partition(".")[0]


def _known(keys: Iterable[str], devices: dict[str, Device]) -> tuple[str, ...]:
    """The series that there are, each once."""
    known = [key for key in dict.fromkeys(keys) if "." in key and _device_of(key) in devices]
    return tuple(known[:MOST])


def _taken(charted: Iterable[Charted]) -> float | None:
    """The step of what is shown, in seconds; None where there is nothing."""
    return next((one.columns.step for one in charted if one.columns is not None), None)


def _statistics(columns: Columns) -> Statistics | None:
    if not columns.t:
        return None
    if isinstance(columns, BucketColumns):
        lows = [low for low in columns.min if low is not None]
        highs = [high for high in columns.max if high is not None]
        weighed = [(mean, count) for mean, count in zip(columns.mean, columns.count, strict=True) if mean is not None]
        count, last = sum(columns.count), columns.last[-1]
        if not weighed:
            return Statistics(count, last)
        mean = sum(mean * count for mean, count in weighed) / sum(count for _, count in weighed)
        return Statistics(count, last, min(lows), mean, max(highs))
    numbers = [float(value) for value in columns.v if isinstance(value, float | int) and not isinstance(value, bool)]
    if not numbers:
        return Statistics(len(columns.t), columns.v[-1])
    return Statistics(len(columns.t), columns.v[-1], min(numbers), sum(numbers) / len(numbers), max(numbers))


def _rows(charted: list[Charted]) -> list[tuple[float, list[Value | None]]]:
    """The newest rows of all series together, newest first: a time, and what each had then."""
    values: list[dict[float, Value | None]] = []
    for one in charted:
        if one.columns is None:
            values.append({})
        elif isinstance(one.columns, BucketColumns):
            pairs = zip(one.columns.mean, one.columns.last, strict=True)
            values.append(
                dict(zip(one.columns.t, (last if mean is None else mean for mean, last in pairs), strict=True))
            )
        else:
            values.append(dict(zip(one.columns.t, one.columns.v, strict=True)))
    times = sorted({time for column in values for time in column}, reverse=True)[:ROWS]
    return [(time, [column.get(time) for column in values]) for time in times]
