"""How soon a device sends again."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.wire.udp.pace import QUICKEST, SLOWEST, Pace
from tests.wire.udp.network import Weather, World


class PaceTests(SynchronousTestCase):
    """The first wait for an answer."""

    def after(self, *took: float, tries: int = 1) -> float:
        """The wait after answers that took so long."""
        pace = Pace()
        for one in took:
            pace.answered(one, tries)
        return pace.wait

    def test_unknown(self) -> None:
        """Before the first answer it is RFC 7252's."""
        self.assertEqual(Pace().wait, SLOWEST)

    def test_quick(self) -> None:
        """On a quick path it is short, but leaves the server's disk its time."""
        self.assertEqual(self.after(*[0.02] * 9), QUICKEST)

    def test_slow(self) -> None:
        """It is longer than answers take, also where those differ, and never longer than RFC 7252's."""
        self.assertGreater(self.after(*[0.6] * 20), 0.6)
        self.assertLess(self.after(*[0.6] * 20), 0.8)
        self.assertGreater(self.after(*[0.2, 1.0] * 9), 1.0)
        self.assertEqual(self.after(*[5.0] * 9), SLOWEST)

    def test_repeated(self) -> None:
        """An answer to one of several tries says nothing about the path, but that the next had better wait."""
        pace = Pace()
        pace.answered(0.02, 1)
        pace.answered(0.02, 1)
        before = pace.wait
        pace.answered(0.01, 2)
        self.assertEqual(pace.wait, 2 * before)
        self.assertEqual(self.after(*[0.01] * 9, tries=2), SLOWEST)

    def test_path_becomes_slow(self) -> None:
        """A path that slows down beyond every wait is soon spared the repetitions."""
        world = World(1, Weather(delay=0.01))
        device = world.add()
        for number in range(40):
            world.at(number * 10.0, lambda n=number: device.report(n + 1))  # type: ignore[misc]
        world.run(195.0)
        world.weather = Weather(delay=0.8)
        world.run(600.0)
        self.assertEqual(len(world.server.stored), 40)
        self.assertLessEqual(len(device.captured), 2 + 40 + 4)
