"""Charts of an hour, a day, a month and a year, while readings come in; and many readings dropped meanwhile.

First it fills a database with readings of a year in 1,000 series, evenly spaced, day by day as they would have come.
Then 1,000 readings a second come in, and somebody opens one chart after another, each of a series by chance. A watcher
looks how long the reactor is held at most. In the end a device is removed, or what is kept of one is lowered to a
month, while acknowledgements are timed.
"""

from __future__ import annotations

import argparse
import gc
import os
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from _support import run, show, verdict
from twisted.internet.defer import gatherResults
from twisted.internet.task import LoopingCall, deferLater

from iotcenter.model import Reading
from iotcenter.service import SWITCH_INTERVAL
from iotcenter.storage import connections
from iotcenter.storage.answers import Question
from iotcenter.storage.errors import StorageError
from iotcenter.storage.retention import DAY_SECONDS, Keep
from iotcenter.storage.rollups import build
from iotcenter.storage.store import FILE, Store
from iotcenter.storage.tiers import RAW, TIERS
from iotcenter.wire.codec import encode
from iotcenter.wire.messages import Report

DEVICES = 10
YEAR = 365 * 86400
SPANS = {"an hour": 3600, "a day": 86400, "a month": 30 * 86400, "a year": YEAR}

FILL = """
    INSERT INTO reading WITH RECURSIVE steps(at) AS (VALUES (?7) UNION ALL SELECT at + 1 FROM steps WHERE at + 1 < ?4)
    SELECT ?1, ?2 + at * ?3 + abs(random()) % 1000, 1, at * ?5 + ?6, round(20 + (random() % 100000) / 10000.0, 2)
    FROM steps
"""
ADD_DEVICE = "INSERT INTO device (id, name, transport, created) VALUES (?, ?, 'tls', 0)"
ADD_PROGRESS = "INSERT INTO progress (device, boot, number, high, gaps, changed) VALUES (?, 1, 1, ?, x'90', 0)"
ADD_SERIES = "INSERT INTO series (id, device, name) VALUES (?, ?, ?)"

HELD_AT_MOST = 20.0
YEAR_AT_MOST = 100.0
BYTES_AT_MOST = 32.0
DROPPING_AT_MOST = 100.0

KEPT_DAYS = 30
"""What is kept of the device of which less is to be kept: readings, and minutes, which would take as much room."""


class Fleet:
    """Devices with their series, and what they have sent so far."""

    def __init__(self, readings: int, series: int) -> None:
        self.each = series // DEVICES
        self.count = readings // series
        self.devices = [f"{number:032x}" for number in range(1, DEVICES + 1)]
        self.sequence = dict.fromkeys(self.devices, self.count * self.each + self.each)

    def fill(self, directory: Path, now: float) -> None:
        """Make the database: a year of readings up to ``now``."""
        connections.prepare(directory / FILE)
        connection = sqlite3.connect(directory / FILE, isolation_level=None)
        connections.as_writer(connection)
        connection.execute("PRAGMA synchronous = OFF")
        spacing = YEAR * 1000 // self.count
        start = round(now * 1000) - spacing * self.count - 2000
        for index, device in enumerate(self.devices):
            connection.execute(ADD_DEVICE, (device, f"device-{index}"))
            connection.execute(ADD_PROGRESS, (device, self.sequence[device]))
            for place in range(self.each):
                connection.execute(ADD_SERIES, (index * self.each + place + 1, device, f"s{place}"))
        for first, end in pairwise(self.count * day // 365 for day in range(366)):
            if end > first:
                self._fill_day(connection, start, spacing, first, end)
        for number in range(1, self.each * DEVICES + 1):
            _sum_up(connection, number, start, start + spacing * self.count + 2000)
        connection.close()

    def _fill_day(self, connection: sqlite3.Connection, start: int, spacing: int, first: int, end: int) -> None:
        """Add to each series its readings from ``first`` up to ``end``."""
        connection.execute("BEGIN")
        for number in range(self.each * DEVICES):
            place = 1 + number % self.each
            connection.execute(FILL, (number + 1, start, spacing, end, self.each, place, first))
        connection.execute("COMMIT")


def _sum_up(connection: sqlite3.Connection, series: int, start: int, end: int) -> None:
    """Make the buckets of a series whose readings are evenly spaced."""
    with connection:
        connection.execute("BEGIN")
        _build_tiers(connection, series, start, end)


def _build_tiers(connection: sqlite3.Connection, series: int, start: int, end: int) -> None:
    for tier in TIERS:
        build(connection, tier, series, start // tier.width, end // tier.width + 1)
        if tier is TIERS[-1]:
            return
        query = f"SELECT max(count) FROM {tier.table} WHERE series = ?"
        [(most,)] = connection.execute(query, (series,))
        if most <= tier.few:
            return


class Bench:
    """One run on a database that was filled."""

    def __init__(self, reactor: Any, directory: Path, fleet: Fleet, random: Random) -> None:
        self._reactor = reactor
        self._fleet = fleet
        self._random = random
        self._held = 0.0
        self._last = 0.0
        self._acknowledged: list[float] = []
        self._store = Store(directory, reactor)
        self._file = directory / FILE

    async def run(self, charts: int, lower: bool, remove: bool) -> None:
        """Open charts, drop what is to be dropped, and print the table."""
        rows = [("bytes on disk per reading, all in all", f"{self._size() / self._readings():.1f} B", "")]
        for name, part in self._parts():
            cells = verdict(part, BYTES_AT_MOST, "B") if name == RAW.table else (f"{part:.1f} B", "")
            rows.append((f"of that in {name}", *cells))
        self._store.open()
        self._store.start(Keep(), time.time)
        self._store.readings.start()
        coming, watcher = LoopingCall(self._send), LoopingCall(self._watch)
        coming.start(0.1).addErrback(print)
        watcher.start(0.002).addErrback(print)
        await deferLater(self._reactor, 2.0)
        self._last, self._held = time.monotonic(), 0.0
        for words, span in SPANS.items():
            rows.append(await self._charts(words, span, charts))
        rows.append(("longest hold of the reactor", *verdict(self._held * 1000, HELD_AT_MOST, "ms")))
        rows.append(("acknowledgement meanwhile, p99", f"{_percentile(self._acknowledged, 99):.1f} ms", ""))
        before = self._size()
        if lower:
            rows += await self._dropping("keeping less of a device", self._lower)
        if remove:
            rows += await self._dropping("removing a device", self._remove)
        for loop in (coming, watcher):
            loop.stop()
        await self._store.close()
        if lower or remove:
            rows.append(("size of the file", f"{before / 1e6:.0f} MB before, {self._size() / 1e6:.0f} MB after", ""))
        show(rows)

    async def _charts(self, words: str, span: float, count: int) -> tuple[str, str, str]:
        took = []
        for _ in range(count):
            device = self._random.choice(self._fleet.devices)
            now = time.time()
            question = Question(device, f"s{self._random.randrange(self._fleet.each)}", now - span, now)
            began = time.monotonic()
            columns = await self._store.readings.query(question)
            msgspec.json.encode(columns)
            took.append((time.monotonic() - began) * 1000)
            await deferLater(self._reactor, 0.01)
        goal = YEAR_AT_MOST if span == YEAR else float("inf")
        p95, wanted = verdict(_percentile(took, 95), goal, "ms")
        found = f"p50 {_percentile(took, 50):.1f} ms, p95 {p95} ({len(columns.t)} buckets of {columns.step:g} s)"
        return f"chart of {words}", found, wanted if span == YEAR else ""

    async def _dropping(self, words: str, drop: Callable[[], Awaitable[int]]) -> list[tuple[str, str, str]]:
        """Have readings dropped, and wait until they are gone, and the room is given back."""
        self._acknowledged.clear()
        self._held = 0.0
        began = time.monotonic()
        count = await drop()
        took = time.monotonic() - began
        await deferLater(self._reactor, 15.0)
        return [
            (words, f"{count:,} readings are gone within {took:.0f} s", ""),
            (
                "acknowledgement meanwhile, p99",
                *verdict(_percentile(self._acknowledged, 99), DROPPING_AT_MOST, "ms"),
            ),
            ("longest acknowledgement", f"{max(self._acknowledged):.1f} ms", ""),
            ("longest hold of the reactor", *verdict(self._held * 1000, HELD_AT_MOST, "ms")),
        ]

    async def _remove(self) -> int:
        device = self._fleet.devices.pop()
        await self._store.devices.remove(device)
        while await self._store.devices.removing():
            await deferLater(self._reactor, 0.5)
        return self._fleet.count * self._fleet.each

    async def _lower(self) -> int:
        """Keep less of the first device."""
        device, names = self._fleet.devices[0], [f"s{place}" for place in range(self._fleet.each)]
        await gatherResults(
            [self._store.readings.set_keep(device, name, Keep(raw=KEPT_DAYS, minutes=KEPT_DAYS)) for name in names]
        )
        self._store.keep_house()
        end = (time.time() // DAY_SECONDS - KEPT_DAYS) * DAY_SECONDS
        for name in names:
            while (await self._store.readings.page(device, name, 0.0, end)).readings:
                await deferLater(self._reactor, 0.5)
        return self._fleet.each * round(self._fleet.count * (1 - KEPT_DAYS * DAY_SECONDS / YEAR))

    def _send(self) -> None:
        """A tenth of a second of readings: ten from each device."""
        now = time.time()
        for device in self._fleet.devices:
            first = self._fleet.sequence[device] + 1
            self._fleet.sequence[device] += 10
            names = self._random.sample(range(self._fleet.each), 10)
            report = Report(1, first, tuple(Reading(f"s{name}", self._random.uniform(10, 30), now) for name in names))
            self._store.readings.append(device, now, [encode(report)], partial(self._done, time.monotonic()))

    def _done(self, sent: float, error: StorageError | None) -> None:
        if error is not None:
            raise error
        self._acknowledged.append((time.monotonic() - sent) * 1000)

    def _watch(self) -> None:
        now = time.monotonic()
        self._held = max(self._held, now - self._last - 0.002)
        self._last = now

    def _size(self) -> int:
        return self._file.stat().st_size

    def _readings(self) -> int:
        return self._fleet.count * self._fleet.each * DEVICES

    def _parts(self) -> list[tuple[str, float]]:
        connection = sqlite3.connect(self._file)
        pages = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT 3"
        parts = [(name, size / self._readings()) for name, size in connection.execute(pages)]
        connection.close()
        return parts


def _percentile(values: list[float], percent: int) -> float:
    return quantiles(values, n=100)[percent - 1]


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", type=int, default=10_000_000, help="how many there are (10,000,000)")
    parser.add_argument("--series", type=int, default=1000, help="in how many series (1,000)")
    parser.add_argument("--charts", type=int, default=100, help="how many charts of each span are opened (100)")
    parser.add_argument("--lower", action="store_true", help="keep only a month of the first of ten devices in the end")
    parser.add_argument("--remove", action="store_true", help="remove a tenth of all in the end: the last device")
    options = parser.parse_args()

    async def bench(reactor: Any) -> None:
        with TemporaryDirectory(prefix="iotcenter-bench-") as folder:
            fleet = Fleet(options.readings, options.series)
            began, used = time.monotonic(), time.process_time()
            fleet.fill(Path(folder), time.time())
            took, cpu = time.monotonic() - began, time.process_time() - used
            print(f"filled in {took:.0f} s ({cpu:.0f} s of CPU); load {os.getloadavg()[0]:.1f}")
            sys.setswitchinterval(SWITCH_INTERVAL)  # this and the next as the server does
            gc.freeze()
            await Bench(reactor, Path(folder), fleet, Random(1)).run(options.charts, options.lower, options.remove)

    run(bench)


if __name__ == "__main__":
    main()
