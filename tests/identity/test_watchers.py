"""Who is told that a device may no longer come in."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.identity.watchers import Watchers
from tests.identity.support import DEVICE

OTHER = "f" * 32


class WatchersTests(SynchronousTestCase):
    """Told once, and only where they still care."""

    def setUp(self) -> None:
        self.watchers = Watchers()
        self.told: list[str] = []

    def test_told(self) -> None:
        """Everybody who watches the device is told why, and nobody who watches another."""
        self.watchers.add(DEVICE, self.told.append)
        self.watchers.add(DEVICE, self.told.append)
        self.watchers.add(OTHER, lambda reason: self.fail("another device's"))
        self.watchers.bar(DEVICE, "revoked")
        self.assertEqual(self.told, ["revoked", "revoked"])

    def test_once(self) -> None:
        """Nobody is told twice."""
        end = self.watchers.add(DEVICE, self.told.append)
        self.watchers.bar(DEVICE, "revoked")
        self.watchers.bar(DEVICE, "revoked")
        end()
        self.assertEqual(self.told, ["revoked"])

    def test_ended(self) -> None:
        """Who ended the watch is told nothing, though the others are; ending it twice does no harm."""
        end = self.watchers.add(DEVICE, lambda reason: self.fail("ended"))
        self.watchers.add(DEVICE, self.told.append)
        end()
        end()
        self.watchers.bar(DEVICE, "revoked")
        self.assertEqual(self.told, ["revoked"])

    def test_ended_while_told(self) -> None:
        """A watch may be ended, and another begun, by the one who is told."""
        end = self.watchers.add(DEVICE, lambda reason: (end(), self.watchers.add(DEVICE, self.told.append))[0])
        self.watchers.bar(DEVICE, "revoked")
        self.assertEqual(self.told, [])
        self.watchers.bar(DEVICE, "again")
        self.assertEqual(self.told, ["again"])

    def test_one_fails(self) -> None:
        """One who fails is logged, and the others are told all the same."""

        def fails(reason: str) -> None:
            raise ValueError(reason)

        self.watchers.add(DEVICE, fails)
        self.watchers.add(DEVICE, self.told.append)
        self.watchers.bar(DEVICE, "revoked")
        self.assertEqual(self.told, ["revoked"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
