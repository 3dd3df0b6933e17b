"""Only the newest write follows the one that is under way."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.keeper import Keeper


class KeeperTests(SynchronousTestCase):
    """Writes by their keys."""

    def setUp(self) -> None:
        """Nothing is under way."""
        self.keeper = Keeper(Clock().seconds)
        self.begun: list[str] = []
        self.ending: list[Deferred[None]] = []

    def write(self, what: str) -> Callable[[], Deferred[None]]:
        """A write that a test ends."""

        def begin() -> Deferred[None]:
            self.begun.append(what)
            self.ending.append(Deferred())
            return self.ending[-1]

        return begin

    def test_the_last_one_follows(self) -> None:
        """What comes while one is under way replaces what waits."""
        for what in ("a", "b", "c", "d"):
            self.keeper.keep("key", self.write(what))
        self.assertEqual(self.begun, ["a"])
        self.ending[0].callback(None)
        self.assertEqual(self.begun, ["a", "d"])
        self.ending[1].callback(None)
        self.keeper.keep("key", self.write("e"))
        self.assertEqual(self.begun, ["a", "d", "e"])

    def test_keys_do_not_wait_for_one_another(self) -> None:
        """Each device, and each thing about it, has its own."""
        self.keeper.keep(("one", "seen"), self.write("a"))
        self.keeper.keep(("two", "seen"), self.write("b"))
        self.assertEqual(self.begun, ["a", "b"])

    def test_a_failure_stops_nothing(self) -> None:
        """The next one is tried all the same."""
        self.keeper.keep("key", self.write("a"))
        self.keeper.keep("key", self.write("b"))
        self.ending[0].errback(OSError("disk"))
        self.assertEqual(self.begun, ["a", "b"])
