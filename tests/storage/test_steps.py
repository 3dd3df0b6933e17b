from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.storage.cover import Kept, Piece, coarsest, cover
from iotcenter.storage.steps import DAY, HOUR, MINUTE, Buckets, Stretch, fitting, stretches
from iotcenter.storage.tiers import DAY as DAYS
from iotcenter.storage.tiers import HOUR as HOURS
from iotcenter.storage.tiers import MINUTE as MINUTES
from iotcenter.storage.tiers import RAW

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> int:
    """A moment in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


START = at("2026-03-01")


class FittingTests(SynchronousTestCase):
    """Which step is taken."""

    def test_finest(self) -> None:
        """It is the finest that gives at most so many buckets, and not one more."""
        for length, step in (
            (HOUR, MINUTE),
            (2000 * MINUTE, MINUTE),
            (2001 * MINUTE, 5 * MINUTE),
            (30 * DAY, 30 * MINUTE),
            (365 * DAY, 6 * HOUR),
            (2000 * DAY, DAY),
            (2001 * DAY, 7 * DAY),
        ):
            self.assertEqual(fitting(START, START + length, 2000, UTC), step, length)

    def test_ends_within(self) -> None:
        """Buckets that are cut by the ends count too."""
        self.assertEqual(fitting(START + 1, START + 2000 * MINUTE + 1, 2000, UTC), 5 * MINUTE)


class ZoneTests(SynchronousTestCase):
    """Where buckets lie on somebody's clock."""

    def test_stretches(self) -> None:
        """Time is cut where the clocks are changed."""
        spring, autumn = at("2026-03-29T01:00"), at("2026-10-25T01:00")
        self.assertEqual(
            stretches(START, at("2027-01-01"), BERLIN),
            [Stretch(START, spring, HOUR), Stretch(spring, autumn, 2 * HOUR), Stretch(autumn, at("2027-01-01"), HOUR)],
        )
        self.assertEqual(stretches(START, START + 1, UTC), [Stretch(START, START + 1, 0)])
        self.assertEqual(stretches(START, START, UTC), [])

    def test_midnight(self) -> None:
        """A day begins at midnight, on the day of the change too, whichever part of it is looked at."""
        days = Buckets(DAY, BERLIN)
        number = (at("2026-03-29T12:00") - 4 * DAY) // DAY
        self.assertEqual({days.start(number, offset) for offset in (HOUR, 2 * HOUR)}, {at("2026-03-28T23:00")})

    def test_coarsest(self) -> None:
        """Days in a zone are made of hours, and of minutes where its clocks are not whole hours ahead."""
        for zone, tier in (("UTC", DAYS), ("Europe/Berlin", HOURS), ("Asia/Kolkata", MINUTES)):
            self.assertEqual(coarsest(DAY, stretches(START, START + DAY, ZoneInfo(zone))), tier)
        self.assertEqual(coarsest(5000, [Stretch(0, 1, 0)]), RAW)


class CoverTests(SynchronousTestCase):
    """How a span is put together."""

    def test_edges(self) -> None:
        """It is coarse in the middle, and ever finer at its edges."""
        start, end = START + 90 * MINUTE + 500, START + 2 * DAY + 1
        self.assertEqual(
            cover(start, end, DAYS, Kept()),
            [
                Piece(RAW, start, START + 91 * MINUTE),
                Piece(MINUTES, START + 91 * MINUTE, START + 2 * HOUR),
                Piece(HOURS, START + 2 * HOUR, START + DAY),
                Piece(DAYS, START + DAY, START + 2 * DAY),
                Piece(RAW, START + 2 * DAY, end),
            ],
        )

    def test_what_is_left(self) -> None:
        """Where only something coarser is left, that is taken, in whole buckets."""
        kept = Kept(0, START, START + DAY, START + 2 * DAY)
        self.assertEqual(
            cover(START - 1, START + 2 * DAY + 1, RAW, kept),
            [
                Piece(DAYS, START - DAY, START),
                Piece(HOURS, START, START + DAY),
                Piece(MINUTES, START + DAY, START + 2 * DAY),
                Piece(RAW, START + 2 * DAY, START + 2 * DAY + 1),
            ],
        )
