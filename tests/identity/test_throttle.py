"""Brakes on guessing."""

from __future__ import annotations

from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.identity import throttle
from iotcenter.identity.errors import TooManyTries
from iotcenter.identity.throttle import Throttle, network_of
from tests.identity.support import clock_at


class ThrottleTests(SynchronousTestCase):
    """So many tries in any minute."""

    def setUp(self) -> None:
        self.clock = clock_at()
        self.throttle = Throttle(10, self.clock.seconds)

    def spend(self, key: str, tries: int) -> int:
        """How many of so many tries of ``key`` get through."""
        through = 0
        for _try in range(tries):
            try:
                self.throttle.spend(key)
            except TooManyTries:
                continue
            through += 1
        return through

    def test_limit(self) -> None:
        """Of a thousand tries at once, ten get through; those of another key are not touched."""
        self.assertEqual(self.spend("anna", 1000), 10)
        self.assertEqual(self.spend("berta", 1), 1)

    def test_any_minute(self) -> None:
        """However the tries are spread, no minute has more than ten."""
        through = []
        for _second in range(600):
            through.append(self.spend("anna", 3))
            self.clock.advance(1)
        self.assertLessEqual(max(sum(through[start : start + 60]) for start in range(540)), 10)
        self.assertEqual(sum(through), 100)

    def test_when_again(self) -> None:
        """Whoever is refused is told when to try again, and then may."""
        self.spend("anna", 4)
        self.clock.advance(20)
        self.spend("anna", 6)
        error = self.assertRaises(TooManyTries, self.throttle.spend, "anna")
        self.assertEqual((error.retry_after, str(error)), (40, "too many tries: try again in 40 s"))
        self.clock.advance(40)
        self.assertEqual(self.spend("anna", 10), 4)

    def test_given_back(self) -> None:
        """A try that was no guess does not count, and giving back more than was spent gains nothing."""
        for _success in range(50):
            self.throttle.spend("anna")
            self.throttle.give_back("anna")
        self.throttle.give_back("anna")
        self.throttle.give_back("berta")
        self.assertEqual(self.spend("anna", 20), 10)

    def test_clock_set_back(self) -> None:
        """A clock that is set back by a day locks nobody out for a day."""
        self.spend("anna", 10)
        self.clock.rightNow -= 86400
        self.assertEqual(self.spend("anna", 1), 1)

    def test_bounded(self) -> None:
        """The table stays small whatever is tried, and the keys that tried last are remembered."""
        with mock.patch.object(throttle, "MAX_KEYS", 100):
            for number in range(1000):
                self.throttle.spend(f"name{number}")
            self.spend("anna", 10)
            self.spend("berta", 10)
            self.assertEqual(self.spend("anna", 1), 0)
            self.assertLessEqual(len(self.throttle), 100)

    def test_forgotten(self) -> None:
        """What is over a minute old takes no memory when others try."""
        for number in range(100):
            self.throttle.spend(f"name{number}")
        self.clock.advance(61)
        self.throttle.spend("anna")
        self.assertEqual(len(self.throttle), 1)


class NetworkTests(SynchronousTestCase):
    """Whom an address belongs to."""

    def test_versions(self) -> None:
        """IPv4 counts by the address, IPv6 by the /64; an IPv4 address in IPv6 clothes is the same one."""
        self.assertEqual(network_of("192.0.2.1"), "192.0.2.1")
        self.assertEqual(network_of("::ffff:192.0.2.1"), "192.0.2.1")
        self.assertEqual(network_of("2001:db8::1"), network_of("2001:db8::ffff:1"))
        self.assertNotEqual(network_of("2001:db8::1"), network_of("2001:db8:0:1::1"))

    @given(st.text())
    def test_anything(self, address: str) -> None:
        """Any text is a key, and a short one."""
        self.assertLessEqual(len(network_of(address)), 64)
