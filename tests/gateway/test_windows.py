"""How much all clients together may send ahead."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.tunnels import MOST
from iotcenter.gateway.windows import LARGEST, LEAST, TOGETHER, Windows


class WindowTests(SynchronousTestCase):
    """The windows of many channels."""

    def setUp(self) -> None:
        """Nobody has one."""
        self.windows = Windows()

    def test_bound(self) -> None:
        """The first have all that they can use; as many tunnels as there may be hold no more than all may together,
        besides the least that each of them has."""
        given = [self.windows.take() for _ in range(MOST)]
        self.assertEqual(given[:10], [LARGEST] * 10)
        self.assertEqual(min(given), LEAST)
        self.assertLessEqual(sum(given), TOGETHER + MOST * LEAST)

    def test_given_back(self) -> None:
        """When channels go, others have their room."""
        for window in [self.windows.take() for _ in range(MOST)]:
            self.windows.give_back(window)
        self.assertEqual(self.windows.take(), LARGEST)
