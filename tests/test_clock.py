"""The server's clock: dates from the wall, timers from what nobody sets."""

from __future__ import annotations

from twisted.internet.task import Clock as Steady
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.clock import RELEASED, Clock

NOW = RELEASED + 1e7


class ClockTests(SynchronousTestCase):
    """A wall clock that may be wrong, beside a steady one."""

    def setUp(self) -> None:
        """Start both."""
        self.steady = Steady()
        self.wall = NOW

    def clock(self, last: float = 0.0) -> Clock:
        """The clock of a server that wrote something at ``last``."""
        return Clock(self.steady, last, lambda: self.wall)

    def test_wall(self) -> None:
        """A wall clock that may be right is believed, also where it was set back."""
        clock = self.clock(NOW + 86400)
        self.assertEqual(clock.seconds(), NOW)
        self.wall -= 86400
        self.assertEqual(clock.seconds(), NOW - 86400)

    def test_never_set(self) -> None:
        """In 1970 time goes on from what was written last, until the clock is set."""
        self.wall = 5.0
        clock = self.clock(NOW - 3600)
        self.steady.advance(10)
        self.assertEqual(clock.seconds(), NOW - 3590)
        self.wall = NOW
        self.assertEqual(clock.seconds(), NOW)

    def test_never_set_nor_used(self) -> None:
        """Where nothing was ever written, it is the time of the release."""
        self.wall = 5.0
        self.assertEqual(self.clock().seconds(), RELEASED)

    def test_timers(self) -> None:
        """A jump of the wall fires no timer, and holds none up."""
        clock, fired = self.clock(), list[int]()
        clock.callLater(10, fired.append, 1)
        self.wall += 86400
        self.steady.advance(9)
        self.assertEqual(fired, [])
        self.wall -= 2 * 86400
        self.steady.advance(1)
        self.assertEqual(fired, [1])
