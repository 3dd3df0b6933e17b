"""What was measured: columns in JSON, or CSV of any length."""

from __future__ import annotations

from datetime import tzinfo
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace
from twisted.web.server import Request

from iotcenter.model import DeviceName, Role, SeriesName, UnitSystem
from iotcenter.storage.answers import BucketColumns, BucketPage, Question, RawColumns
from iotcenter.texts import _
from iotcenter.web.api.tables import Table
from iotcenter.web.api.taken import Taken, When
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.guard import API, api, stream
from iotcenter.web.paced import PacedWriter
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal
from iotcenter.web.when import known_zone, parse_span, zone_named

PIECE = 500
"""Rows that are made into CSV at once: some 20 kB, and 2 ms of work."""


class ReadingsQuery(Taken, frozen=True):
    """Which readings: of one series, from ``from`` up to ``to``, raw (``step`` 0) or in buckets of ``step`` seconds.

    Without ``step``, or with ``auto``, it is the finest of 1, 5, 15 and 30 minutes, 1, 3, 6 and 12 hours and a day (and
    1 and 4 weeks) that gives at most 2,000 buckets. ``zone`` is the time zone, such as ``Europe/Berlin``, in which
    days begin and times without a zone are read; without it, that of who asks.
    """

    device: DeviceName
    series: SeriesName
    start: When = msgspec.field(name="from", default="now-1h")
    end: When = msgspec.field(name="to", default="now")
    step: Annotated[float, Meta(ge=0, le=366 * 86400.0)] | Literal["auto"] | None = None
    zone: Annotated[str, Meta(max_length=64)] | None = None


class CsvQuery(ReadingsQuery, frozen=True):
    """Likewise; ``units`` are those to convert values to, where that can be done."""

    units: UnitSystem = UnitSystem.DECLARED


class ReadingHandlers:
    """Answers what devices measured."""

    def __init__(self, parts: Parts) -> None:
        self._devices = parts.center.devices
        self._history = parts.center.history
        self._readings = parts.store.readings
        self._reactor = parts.reactor
        self._clock = parts.clock

    @api("/readings", role=Role.VIEWER, failures=(404,))
    async def query(self, request: Request, principal: Principal, query: ReadingsQuery) -> RawColumns | BucketColumns:
        """Readings as columns: Unix times ``t`` with the values ``v``, or with what is in each bucket; and the ``step``
        that was taken. Texts have no ``min``, ``max`` and ``mean``, and truth values count as 0 and 1."""
        zone = self._zone(query, principal)
        start, end = self._span(query, zone)
        step = None if query.step == "auto" else query.step
        return await self._history.query(query.device, query.series, start, end, step, zone)

    @stream(f"{API}/readings.csv", role=Role.VIEWER, media="text/csv; charset=utf-8", failures=(404,))
    async def csv(self, request: Request, principal: Principal, query: CsvQuery) -> None:
        """Readings as CSV, of any length; without ``step`` raw. Times are ISO 8601 with the offset of the zone; the
        titles have the unit, which is the declared one without ``units``."""
        zone = self._zone(query, principal)
        start, end = self._span(query, zone)
        known = self._devices.named(query.device)
        unit = next((one.unit for one in known.series if one.name == query.series), "")
        table = Table(query.series, unit, zone, query.units)
        step = None if query.step == "auto" else query.step or 0.0
        question = Question(known.id, query.series, start, end, step, zone)
        # Before anything is written: what is wrong with the question is an answer of its own.
        first = None if step == 0 else await self._readings.bucket_page(question)
        request.setHeader("Content-Disposition", f'attachment; filename="{known.name}.csv"')
        with PacedWriter(request, self._reactor) as writer:
            if first is not None:
                await self._write_buckets(writer, table, question, first)
            else:
                await self._write_raw(writer, table, known.id, query.series, start, end)

    async def _write_buckets(self, writer: PacedWriter, table: Table, question: Question, page: BucketPage) -> None:
        """Page by page, all of the step of the first."""
        await writer.write(table.bucket_titles())
        while True:
            await writer.write(table.buckets(page.columns))
            if page.after is None:
                return
            question = replace(question, step=page.columns.step)
            page = await self._readings.bucket_page(question, page.after)

    async def _write_raw(
        self, writer: PacedWriter, table: Table, device: str, series: str, start: float, end: float
    ) -> None:
        """Page by page, and each in pieces, so that no length of it takes more memory or time at once."""
        page = await self._readings.page(device, series, start, end)
        await writer.write(table.raw_titles())
        while True:
            for first in range(0, len(page.readings), PIECE):
                await writer.write(table.raw(page.readings[first : first + PIECE]))
            if page.after is None:
                return
            page = await self._readings.page(device, series, start, end, page.after)

    def _zone(self, query: ReadingsQuery, principal: Principal) -> tzinfo:
        """The time zone of an answer. Raises ``HTTPProblem`` for one that there is not."""
        if query.zone is None:
            return zone_named(principal.time_zone)
        zone = known_zone(query.zone)
        if zone is None:
            problem = _("must be a time zone such as Europe/Berlin")
            words = f"zone {problem}"
            raise HTTPProblem(422, "invalid", words, {"zone": problem})
        return zone

    def _span(self, query: ReadingsQuery, zone: tzinfo) -> tuple[float, float]:
        """From when to when. Raises ``HTTPProblem`` for what is no time."""
        span, problems = parse_span(query.start, query.end, self._clock.seconds(), zone)
        if span is None:
            words = "; ".join(f"{name} {problem}" for name, problem in problems.items())
            raise HTTPProblem(422, "invalid", words, problems)
        return span
