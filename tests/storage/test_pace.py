from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.storage.pace import AHEAD, CALM, LEAST_PIECE, LEAST_SHARE, LITTLE_LEFT, LONGEST_PAUSE, Pace

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
        """A burst is left alone until much waits. Then all is merged as fast as can be, until little waits and there is
        a lull."""
        many, few = 5 * STEP, STEP // 5
        steps = (
            (CALM, many, 1, LEAST_SHARE),
            (CALM + 1, many, 1, 1.0),
            (LITTLE_LEFT, many, 2000, 1.0),
            (LITTLE_LEFT + 1, few, 2000, 1.0),
            (LITTLE_LEFT, few, 1, AHEAD * few / STEP),
            (CALM, many, 1, LEAST_SHARE),
        )
        pace, now, end = Pace(), 0.0, 10 * CALM
        for backlog, coming, count, share in steps:
            for _ in range(count):
                now, end = now + TAKES, end + coming
                pace.pause(now, TAKES, STEP, end - backlog, end)
            self.assertAlmostEqual(pace.share, share, 9, (backlog, coming))

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
