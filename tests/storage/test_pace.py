from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.storage.inbox import MOST_BACKLOG
from iotcenter.storage.pace import LEAST_SHARE, LONGEST_PAUSE, Pace

STEP = 100_000
"""Bytes of one merge, which takes a tenth of a second: merging does a million in one."""


class PaceTests(SynchronousTestCase):
    """How much of the time goes into merging."""

    def share(self, coming: float, backlog: int = STEP) -> float:
        """Which share that is after a while, where so many bytes come in a second."""
        pace, now, pause = Pace(), 0.0, 0.0
        for _ in range(10):
            now += pause + 0.1
            end = int(now * coming) + backlog
            pause = pace.pause(now, 0.1, STEP, end - backlog, end)
        self.assertAlmostEqual(pace.share, 0.1 / (0.1 + pause))
        return pace.share

    def test_nothing_comes(self) -> None:
        """A backlog that does not grow is merged without a pause."""
        self.assertAlmostEqual(self.share(0.0), 1.0, 2)

    def test_burst(self) -> None:
        """While more comes than can be merged, merging steps back."""
        self.assertAlmostEqual(self.share(5e6), LEAST_SHARE, 2)

    def test_keeps_up(self) -> None:
        """Below a burst more is merged than comes in, and nearly all of the time is used where hardly anything does."""
        for coming in (1e4, 1e5, 2e5, 3e5, 4.5e5):
            self.assertGreater(self.share(coming), 1.1 * coming / 1e6, coming)
        self.assertGreater(self.share(1e4), 0.9)

    def test_large_backlog(self) -> None:
        """Whatever comes, a backlog that is half of what may wait is merged as fast as can be."""
        self.assertEqual(self.share(5e6, MOST_BACKLOG // 2), 1.0)
        self.assertGreater(self.share(5e6, MOST_BACKLOG // 4), 0.5)

    def test_longest_pause(self) -> None:
        """Nobody waits long for what was acknowledged, however slow a merge is."""
        pace = Pace()
        pace.pause(0.0, 30.0, STEP, 0, STEP)
        self.assertEqual(pace.pause(30.0, 30.0, STEP, STEP, 100 * STEP), LONGEST_PAUSE)
