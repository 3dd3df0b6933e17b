"""Arrows beside values: only where a series really moves."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center import recall
from iotcenter.center.known import KnownDevice
from iotcenter.center.trend import ENOUGH, TrendOf
from iotcenter.model import Reading, Trend
from iotcenter.storage.answers import Question
from iotcenter.storage.errors import StorageError
from iotcenter.wire.messages import Ack, Report
from tests.center.support import NOW, CenterTestCase, report

START = 1_795_305_600.0


def trend_of(values: list[float], every: float = 10.0) -> Trend | None:
    """The trend after so many values, one each ``every`` seconds."""
    trend = TrendOf()
    for place, value in enumerate(values):
        trend.add(value, START + place * every)
    return trend.at(START + len(values) * every)


class RecallTests(CenterTestCase):
    """What a restart leaves of trends."""

    async def test_restart(self) -> None:
        """They go on: the last hour is looked up. What came since counts once."""
        link, attachment = self.join()
        acknowledged = link.next(Ack)
        values = [20.0 + minute / 10 for minute in range(30)]
        readings = [Reading("temperature", value, NOW + 60 * at - 1800) for at, value in enumerate(values)]
        attachment.received(Report(1, 1, tuple(readings)))
        await acknowledged
        self.center.stop()
        await self.open_center()
        link, attachment = self.join()
        attachment.received(report(31, 23.0))
        while self.trend() is None:
            await self.store.readings.accounts()
        self.assertEqual(self.trend(), Trend.RISING)

    async def looked_up(self) -> list[Deferred[Any]]:
        """The lookups of a server that starts with two series, each of which waits for its answer."""
        link, attachment = self.join()
        acknowledged = link.next(Ack)
        attachment.received(Report(1, 1, (Reading("temperature", 20.0, NOW), Reading("humidity", 50.0, NOW))))
        await acknowledged
        self.center.stop()
        asked: list[Deferred[Any]] = []

        def query(_: Question) -> Deferred[Any]:
            asked.append(Deferred())
            return asked[-1]

        self.patch(self.store.readings, "query", query)
        await self.open_center()
        return asked

    async def test_one_after_the_other(self) -> None:
        """Series are looked up one by one, so that others get at the database meanwhile."""
        asked = await self.looked_up()
        self.assertEqual(len(asked), 1)
        asked[0].callback(None)
        self.assertEqual(len(asked), 2)

    async def test_too_many(self) -> None:
        """Of more series than can be looked up, the rest begins anew."""
        self.patch(recall, "MOST", 1)
        asked = await self.looked_up()
        asked[0].callback(None)
        self.assertEqual(len(asked), 1)

    async def test_no_answer(self) -> None:
        """Where the database does not answer, trends begin anew: it is not asked again and again."""
        asked = await self.looked_up()
        with capturedLogs() as said:
            asked[0].errback(StorageError("the disk failed"))
        self.assertEqual([event["log_level"] for event in said], [LogLevel.warn])
        self.assertEqual(len(asked), 1)

    async def test_end(self) -> None:
        """A server that stops at once looks up no more."""
        asked = await self.looked_up()
        self.center.stop()
        self.assertEqual([one.called for one in asked], [True])

    def trend(self) -> Trend | None:
        """Where the series goes."""
        return self.center.devices.get("kitchen-pi").series[0].trend


class TrendTests(SynchronousTestCase):
    """Rising, falling, steady, or not known."""

    def test_noise_is_steady(self) -> None:
        """A series that only scatters has no arrow, whatever its scale; of many hours nearly none has."""
        random = Random(1)
        for scale in (0.01, 1.0, 1e6):
            hours = [trend_of([random.gauss(20, scale) for _ in range(360)]) for _ in range(100)]
            self.assertGreaterEqual(hours.count(Trend.STEADY), 99)

    def test_constant_is_steady(self) -> None:
        """So has one that does not change."""
        for value in (0.0, 0.1, -273.15, 1e12):
            self.assertEqual(trend_of([value] * 360), Trend.STEADY)

    def test_moving(self) -> None:
        """One that moves by several times its noise within the hour rises or falls."""
        random = Random(2)
        for sign, expected in ((1, Trend.RISING), (-1, Trend.FALLING)):
            values = [20 + sign * place / 360 * 2 + random.gauss(0, 0.3) for place in range(360)]
            self.assertEqual(trend_of(values), expected)
            self.assertEqual(trend_of([sign * place * 1e-3 for place in range(360)]), expected)

    def test_recalled(self) -> None:
        """What was before is put before what is known, in the end as if it had been there all along."""
        values = [20 + place * 0.1 for place in range(30)]
        points = [(int(START // 60) + place, value) for place, value in enumerate(values)]
        for known in (0, 1, 2, 12, 30):
            trend = TrendOf()
            for minute, value in points[30 - known :]:
                trend.add(value, minute * 60.0)
            trend.recall(points)
            trend.recall(points)
            trend.add(99.0, START + 1800)
            self.assertEqual(list(trend._minutes), points, known)

    def test_too_little(self) -> None:
        """In the first minutes nothing is said."""
        self.assertIsNone(TrendOf().at(START))
        self.assertIsNone(trend_of([float(place) for place in range(ENOUGH)], every=60))
        self.assertEqual(trend_of([float(place) for place in range(ENOUGH + 1)], every=60), Trend.RISING)

    def test_only_the_last_hour(self) -> None:
        """What was before does not count: after a rise that ended an hour ago it is steady."""
        rise = [place * 0.1 for place in range(360)]
        self.assertEqual(trend_of([*rise, *([36.0] * 372)]), Trend.STEADY)

    def test_silence(self) -> None:
        """An hour without readings says nothing."""
        trend = TrendOf()
        for place in range(60):
            trend.add(float(place), START + place * 60)
        self.assertEqual(trend.at(START + 3600), Trend.RISING)
        self.assertIsNone(trend.at(START + 2 * 3600 + 60))

    @given(st.lists(st.tuples(st.floats(-1e300, 1e300), st.floats(0, 7200)), max_size=200))
    def test_anything(self, readings: list[tuple[float, float]]) -> None:
        """No numbers and times are too much for it."""
        trend = TrendOf()
        for value, time in sorted(readings, key=lambda one: one[1]):
            trend.add(value, START + time)
        self.assertIn(trend.at(START + 7200), (*Trend, None))


class DeviceTests(SynchronousTestCase):
    """What a device shows."""

    def test_of_each_series(self) -> None:
        """Numbers have a trend once they are known for long enough; texts and truth values have none."""
        known = KnownDevice("00" * 16, "attic", "tls", START)
        for minute in range(30):
            for name, value in (("up", float(minute)), ("down", -float(minute)), ("door", "open"), ("on", True)):
                known.newest(Reading(name, value, START + minute * 60))
        shown = {series.name: series.trend for series in known.snapshot(START + 1800).series}
        self.assertEqual(shown, {"up": Trend.RISING, "down": Trend.FALLING, "door": None, "on": None})
