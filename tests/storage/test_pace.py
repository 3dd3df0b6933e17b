from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.storage.inbox import MOST_BACKLOG
from iotcenter.storage.pace import CALM, LEAST_PIECE, LEAST_SHARE, LONGEST_PAUSE, Pace

STEP, TAKES = 20_000, 0.02
"""Bytes of one merge, and the seconds that it takes: merging does a million in one."""


class PaceTests(SynchronousTestCase):
    """How much of the time goes into merging."""

    def share(self, coming: float, backlog: int = STEP) -> float:
        """Which share that is after a while, where so many bytes come in a second."""
        pace, now, pause = Pace(), 0.0, 0.0
        for _ in range(10):
            now += pause + TAKES
            end = int(now * coming) + backlog
            pause = pace.pause(now, TAKES, STEP, end - backlog, end)
        self.assertAlmostEqual(pace.share, TAKES / (TAKES + pause))
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
        """Whatever comes, a backlog that nears its bound is merged as fast as can be, and a small one waits."""
        self.assertAlmostEqual(self.share(5e6, CALM), LEAST_SHARE, 2)
        self.assertGreater(self.share(5e6, MOST_BACKLOG * 5 // 8), 0.5)
        self.assertEqual(self.share(5e6, MOST_BACKLOG * 3 // 4), 1.0)

    def test_pieces(self) -> None:
        """Pieces are as large as the share, but never so small that what each costs by itself counts for much."""
        for share, piece in ((1.0, 1.0), (0.6, 0.6), (LEAST_SHARE, LEAST_PIECE)):
            pace = Pace()
            pace.share = share
            self.assertEqual(pace.piece, piece)

    def test_longest_pause(self) -> None:
        """Nobody waits long for what was acknowledged, however slow a merge is."""
        pace = Pace()
        pace.pause(0.0, 30.0, STEP, 0, STEP)
        self.assertEqual(pace.pause(30.0, 30.0, STEP, STEP, 100 * STEP), LONGEST_PAUSE)
