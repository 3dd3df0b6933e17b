"""Buckets are what the raw readings give: checked with reports of any order, lateness and repetition."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from math import fsum, isclose
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import LARGEST, Reading, Value
from iotcenter.storage import connections, history, migrations
from iotcenter.storage.answers import BucketColumns, Question, RawColumns
from iotcenter.storage.entries import Entry
from iotcenter.storage.forecast import in_use
from iotcenter.storage.intake import Intake
from iotcenter.storage.retention import From, Keep, advance, drop_some, due
from iotcenter.storage.rollups import reckon, to_reckon
from iotcenter.storage.tiers import DAY as DAY_TIER
from iotcenter.storage.tiers import HOUR as HOUR_TIER
from iotcenter.wire.messages import Report
from tests.storage.support import KITCHEN

START = 1_774_738_800  # an hour and a half before the clocks of Berlin are put forward in 2026
LATEST = START + 400 * 86400.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

values = st.one_of(
    st.floats(-LARGEST / 1e6, LARGEST / 1e6),
    st.floats(-100, 100),
    st.booleans(),
    st.sampled_from(["open", "shut", ""]),
)


class Run(NamedTuple):
    """Readings that a device makes at an even pace, and how many of them it puts into each report."""

    boot: int
    start: float
    every: float
    values: list[Value]
    size: int

    def reports(self) -> list[Report]:
        """The reports, numbered from 1 on."""
        readings = [Reading("t", value, self.start + self.every * at) for at, value in enumerate(self.values)]
        return [
            Report(self.boot, first + 1, tuple(readings[first : first + self.size]))
            for first in range(0, len(readings), self.size)
        ]


@st.composite
def runs(draw: st.DrawFn) -> list[Run]:
    """What a device measured in some boots: at times that lie close together or far apart, few or many."""
    made = []
    for boot in range(1, draw(st.integers(1, 4)) + 1):
        few = draw(st.lists(values, min_size=1, max_size=12))
        count = draw(st.sampled_from([3, 40, 150, 400]))
        start = START + draw(st.sampled_from([0.0, 59.999, 3599.5, 86400.0])) + draw(st.integers(0, 3)) * 0.25
        every = draw(st.sampled_from([0.0, 0.4, 7.0, 61.0, 1000.0, 40_000.0]))
        repeated = (few * (count // len(few) + 1))[:count]
        made.append(Run(boot, start, every, repeated, draw(st.sampled_from([1, 7, 60]))))
    return made


class Storage:
    """Reports on their way into a database, which may be closed and opened at any time."""

    def __init__(self, path: Path, new: bool = True) -> None:
        self.path = path
        self.stored = 0
        if new:
            path.unlink(missing_ok=True)
            connections.prepare(path)
        self.connection = self._open()
        if new:
            self.connection.execute(
                f"INSERT INTO device (id, name, transport, created) VALUES ('{KITCHEN}', 'k', 'tls', 0)"
            )

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None)
        connections.as_writer(connection)
        connection.execute("PRAGMA synchronous = OFF")  # a power cut is another test's
        self.intake = Intake()
        return connection

    def store(self, reports: Iterable[Report]) -> None:
        """Store ``reports`` in one commit."""
        self.connection.execute("BEGIN IMMEDIATE")
        outcomes = self.intake.store(self.connection, [Entry(KITCHEN, each, LATEST) for each in reports])
        self.connection.execute("COMMIT")
        self.stored += sum(len(outcome.new) for outcome in outcomes)

    def keep(self, today: int, keep: Keep) -> From:
        """Note what is kept of the one series, ``today`` days after the start."""
        [kept] = due(self.connection, START // 86400 + today, keep)
        advance(self.connection, [kept])
        return kept

    def restart(self) -> None:
        """Stop, and start again."""
        self.connection.close()
        self.connection = self._open()

    def raw(self) -> list[tuple[float, Value]]:
        """All readings, in order."""
        rows = self.connection.execute("SELECT time, value FROM reading ORDER BY time, boot, sequence")
        return [(time / 1000, history.as_value(value)) for time, value in rows]

    def buckets(self, step: float | None, zone: tzinfo = UTC, start: float = 0, end: float = LATEST) -> BucketColumns:
        """What a question is answered with, however many buckets that takes."""
        found = history.query(self.connection, Question(KITCHEN, "t", start, end, step, zone))
        assert isinstance(found, BucketColumns)
        return found


def expected(raw: Sequence[tuple[float, Value]], step: float, zone: tzinfo = UTC) -> list[tuple[Any, ...]]:
    """What the readings give in buckets, reckoned the long way."""
    groups: dict[float, list[Value]] = {}
    for time, value in raw:
        groups.setdefault(begin(time, step, zone), []).append(value)
    return [(start, *summed(groups[start])) for start in sorted(groups)]


def begin(time: float, step: float, zone: tzinfo) -> float:
    """When the bucket of a time begins."""
    local = datetime.fromtimestamp(time, UTC).astimezone(zone)
    if step > HOUR:
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        hours = local.hour // int(step // HOUR) * int(step // HOUR)
        return (midnight if step == DAY else midnight.replace(hour=hours)).timestamp()
    offset = (local.utcoffset() or timedelta()).total_seconds()
    return (time + offset) // step * step - offset


def summed(found: Sequence[Value]) -> tuple[Any, ...]:
    """Count, least, greatest, mean and last of some values."""
    numbers = [float(value) for value in found if not isinstance(value, str)]
    if not numbers:
        return len(found), None, None, None, found[-1]
    return len(found), min(numbers), max(numbers), fsum(numbers) / len(numbers), found[-1]


class RollupCase(SynchronousTestCase):
    """Compares buckets with readings."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.patch(history, "MOST_BUCKETS", 10**9)

    def same(self, columns: BucketColumns, wanted: list[tuple[Any, ...]]) -> None:
        """Equal, to the last digit but for the mean.

        That is within 1e-9 of itself, or of the largest number among those of which it is the mean.
        """
        found = list(zip(columns.t, columns.count, columns.min, columns.max, columns.mean, columns.last, strict=True))
        self.assertEqual([row[:4] + row[5:] for row in found], [row[:4] + row[5:] for row in wanted])
        self.assertEqual([type(row[5]) for row in found], [type(row[5]) for row in wanted])
        for (_, _, low, high, mean, _), (_, _, _, _, exact, _) in zip(found, wanted, strict=True):
            if exact is None:
                self.assertIsNone(mean)
            else:
                largest = max(abs(low), abs(high))
                self.assertTrue(isclose(mean, exact, rel_tol=1e-9, abs_tol=1e-9 * largest), (mean, exact, largest))

    def check(self, storage: Storage, steps: Sequence[float] = (MINUTE, HOUR, DAY)) -> None:
        """Compare every tier."""
        raw = storage.raw()
        for step in steps:
            self.same(storage.buckets(step), expected(raw, step))


class PropertyTests(RollupCase):
    """Whatever comes, in whatever order."""

    @settings(max_examples=15, suppress_health_check=list(HealthCheck))
    @given(runs(), st.randoms(use_true_random=False), st.integers(0, 40))
    def test_any_order(self, made: list[Run], random: Random, repeated: int) -> None:
        """Every tier holds what the raw readings give; after every commit, and though the server was restarted."""
        reports = [report for run in made for report in run.reports()]
        reports += random.choices(reports, k=repeated)
        random.shuffle(reports)
        storage = Storage(self.path)
        with closing(storage.connection):
            while reports:
                size = random.choice([1, 5, 100])
                batch, reports = reports[:size], reports[size:]
                storage.store(batch)
                if random.random() < 0.2:
                    storage.restart()
                if random.random() < 0.2:
                    self.check(storage)
            self.assertEqual(len(storage.raw()), storage.stored)
            self.check(storage)

    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(
        runs(),
        st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns"]),
        st.sampled_from([MINUTE, 300.0, 900.0, 1800.0, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY]),
        st.floats(START - 10, START + 3 * DAY),
        st.floats(0, 5 * DAY),
    )
    def test_any_question(self, made: list[Run], zone: str, step: float, start: float, length: float) -> None:
        """A question for any span, step and zone is answered with what the raw readings of that span give."""
        start, end = round(start, 3), round(start + length, 3)
        storage = Storage(self.path)
        with closing(storage.connection):
            storage.store(report for run in made for report in run.reports())
            raw = [(time, value) for time, value in storage.raw() if start <= time < end]
            found = storage.buckets(step, ZoneInfo(zone), start, end)
            self.same(found, expected(raw, step, ZoneInfo(zone)))

    @settings(max_examples=30, suppress_health_check=list(HealthCheck))
    @given(runs(), st.integers(0, 20), st.integers(0, 3), st.integers(0, 3))
    def test_retention(self, made: list[Run], today: int, minutes: int, hours: int) -> None:
        """Where raw readings, minutes or hours are dropped, the coarser buckets stay what they were, at every step."""
        storage = Storage(self.path)
        with closing(storage.connection):
            storage.store(report for run in made for report in run.reports())
            before = {step: storage.buckets(step) for step in (MINUTE, HOUR, DAY)}
            keep = Keep(raw=1, minutes=1 + minutes, hours=1 + minutes + hours)
            kept = storage.keep(today, keep)
            more = True
            while more:
                self.compare_kept(storage, kept, before)
                more = drop_some(storage.connection, kept)
            self.assertEqual([time for time, _ in storage.raw() if time < kept.raw * DAY], [])
            self.compare_kept(storage, kept, before)

    @settings(max_examples=30, suppress_health_check=list(HealthCheck))
    @given(
        runs(),
        st.sampled_from(["UTC", "Europe/Berlin"]),
        st.sampled_from([7.0, MINUTE, HOUR, DAY]),
        st.integers(3, 9),
        st.integers(0, 6),
    )
    def test_pages(self, made: list[Run], zone: str, step: float, size: int, today: int) -> None:
        """A long answer in pages is the same answer, wherever something was dropped."""
        storage = Storage(self.path)
        self.patch(history, "BUCKETS_OF_A_PAGE", size)
        with closing(storage.connection):
            storage.store(report for run in made for report in run.reports())
            kept = storage.keep(today, Keep(raw=1, minutes=2, hours=3))
            while drop_some(storage.connection, kept):
                pass
            question = Question(KITCHEN, "t", START + 30.5, LATEST, step, ZoneInfo(zone))
            page = history.bucket_page(storage.connection, question, None)
            found = rows_of(page.columns)
            while page.after is not None:
                page = history.bucket_page(storage.connection, question, page.after)
                found += rows_of(page.columns)
            self.assertEqual(found, rows_of(storage.buckets(step, ZoneInfo(zone), question.start)))

    def compare_kept(self, storage: Storage, kept: From, before: dict[float, BucketColumns]) -> None:
        """From where a tier is kept, nothing has changed; before that, nothing of the coarser one has."""
        for step, first in ((MINUTE, kept.minutes), (HOUR, kept.hours), (DAY, kept.days)):
            columns = storage.buckets(step, start=first * DAY)
            old = [row for row in rows_of(before[step]) if row[0] >= first * DAY]
            self.assertEqual([row[:2] for row in rows_of(columns)], [row[:2] for row in old])
            self.same(columns, old)


def rows_of(columns: BucketColumns) -> list[tuple[Any, ...]]:
    """The buckets one by one."""
    return list(zip(columns.t, columns.count, columns.min, columns.max, columns.mean, columns.last, strict=True))


class BoundTests(RollupCase):
    """How few readings of a day or an hour have no finer buckets."""

    def test_around_the_bound(self) -> None:
        """Nothing is missed or doubled where the bound is met, or passed by one, or in one commit."""
        for tier, every in ((DAY_TIER, 300.0), (HOUR_TIER, 10.0)):
            for count in range(tier.few - 1, tier.few + 3):
                storage = Storage(self.path)
                start = START // 86400 * 86400.0
                values: list[Value] = [float(number) for number in range(count)]
                storage.store(Run(1, start, every, values, 100).reports())
                for boot in (2, 3, 4):
                    storage.store(Run(boot, start + boot, 1.0, [7.0], 1).reports())
                    self.check(storage)
                storage.connection.close()


class RoomTests(RollupCase):
    """What is kept of readings that go."""

    def test_slow_sensors(self) -> None:
        """The minutes of a sensor that reports twice a minute or less take no more room than its readings did."""
        for every in (30.0, 60.0, 150.0):
            storage = Storage(self.path)
            with closing(storage.connection):
                count = int(10 * DAY / every)
                measured: list[Value] = [20 + number % 50 / 10 for number in range(count)]
                storage.store(Run(1, START, every, measured, 1000).reports())
                room = in_use(storage.connection)
                kept = storage.keep(12, Keep(raw=1, minutes=0, hours=0, days=0))
                while drop_some(storage.connection, kept):
                    pass
                self.assertEqual(storage.raw(), [])
                self.assertLessEqual(in_use(storage.connection), room)


class ReckoningTests(RollupCase):
    """Days that were stored before there were buckets."""

    def test_reckoned_later(self) -> None:
        """They are answered from the raw readings until they are reckoned; what comes meanwhile is in both."""
        storage = Storage(self.path)
        run = Run(1, START, 20.0, [float(number % 7) for number in range(5000)], 100)
        storage.store(run.reports())
        for table in ("minute", "hour", "day"):
            storage.connection.execute(f"DELETE FROM {table}")
        storage.connection.execute(
            "INSERT INTO day SELECT DISTINCT series, time / 86400000, 0, 0, 0, NULL, NULL, 0 FROM reading"
        )
        self.check(storage)
        states: list[Value] = [1.5, 2.5, "off"]
        storage.store(Run(2, START + 5, 3600.0, states, 3).reports())
        self.check(storage)
        for series, day in to_reckon(storage.connection, 100):
            reckon(storage.connection, series, day)
        self.assertEqual(to_reckon(storage.connection, 1), [])
        self.check(storage)

    def test_older_database(self) -> None:
        """So it is with a database that was made before there were buckets: nothing in it is lost or changed."""
        known = migrations.migrations()
        self.patch(migrations, "migrations", lambda: known[:3])
        connections.prepare(self.path)
        with closing(sqlite3.connect(self.path)) as old, old:
            old.executescript(f"""
                INSERT INTO device (id, name, transport, created) VALUES ('{KITCHEN}', 'k', 'tls', 0);
                INSERT INTO series VALUES (7, '{KITCHEN}', 't');
                INSERT INTO progress VALUES ('{KITCHEN}', 1764000000, 3000, x'90', 0);
                WITH RECURSIVE at(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM at WHERE n < 3000)
                INSERT INTO reading SELECT 7, {START}000 + n * 30000, 1764000000, n, n % 11 + 0.5 FROM at;
            """)
        self.patch(migrations, "migrations", lambda: known)
        connections.prepare(self.path)
        storage = Storage(self.path, new=False)
        self.assertEqual(len(storage.raw()), 3000)
        self.check(storage)
        storage.store([Report(1764000000, 3000, (Reading("t", 1.0, START + 5), Reading("t", 2.5, START + 6)))])
        self.assertEqual(len(storage.raw()), 3001)
        for series, day in to_reckon(storage.connection, 100):
            reckon(storage.connection, series, day)
        self.check(storage)

    def test_came_again_unnoticed(self) -> None:
        """A repetition that the device's progress forgot is not counted twice in any bucket."""
        storage = Storage(self.path)
        run = Run(1, START, 1.0, [float(number) for number in range(300)], 100)
        storage.store(run.reports())
        storage.connection.execute("UPDATE progress SET high = 0")
        storage.restart()
        storage.store([*run.reports(), *Run(2, START, 1.0, [5.0], 1).reports()])
        self.assertEqual(len(storage.raw()), 301)
        self.check(storage)


class LargestTests(RollupCase):
    """Numbers of which the sum is none."""

    def test_both_ways(self) -> None:
        """They are stored, counted and found, whether their infinite sums meet in a minute, an hour, a day, or the
        answer; and come they in one commit or in many."""
        for every, count in ((0.1, 4), (61.0, 3), (0.1, 700), (30.0, 300), (3500.0, 30)):
            up = Run(1, START, every, [LARGEST] * count, 7)
            down = Run(2, START + count * every, every, [-LARGEST] * count, 7)
            for reports in ([up.reports(), down.reports()], [[each] for run in (up, down) for each in run.reports()]):
                storage = Storage(self.path)
                with closing(storage.connection):
                    for commit in reports:
                        storage.store(commit)
                    for step in (MINUTE, HOUR, DAY, 3 * HOUR):
                        found = rows_of(storage.buckets(step))
                        wanted = [row[:4] + row[5:] for row in expected_of_largest(storage.raw(), step)]
                        self.assertEqual([row[:4] + row[5:] for row in found], wanted)


def expected_of_largest(raw: Sequence[tuple[float, Value]], step: float) -> list[tuple[Any, ...]]:
    """As ``expected`` but for the means: of what is too large to be summed up they are nothing to go by."""
    signs = expected([(time, float(value) / LARGEST) for time, value in raw], step)
    return [(*row[:2], row[2] * LARGEST, row[3] * LARGEST, row[4], row[5] * LARGEST) for row in signs]


class RawTests(RollupCase):
    """Beside the buckets."""

    def test_exact(self) -> None:
        """Raw readings come out as they went in."""
        storage = Storage(self.path)
        made: list[Value] = [0.1 + 0.2, 5e-324, -LARGEST, 7.0, True, "7", ""]
        storage.store(Run(1, START, 1.0, made, 9).reports())
        found = history.query(storage.connection, Question(KITCHEN, "t", 0, LATEST, 0))
        assert isinstance(found, RawColumns)
        self.assertEqual([(type(value), value) for value in found.v], [(type(value), value) for value in made])
