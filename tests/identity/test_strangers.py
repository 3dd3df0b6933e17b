"""Room for strangers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.identity.strangers import Strangers


class Knocking:
    """Somebody who has not shown who they are."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.gone = False

    def make_way(self) -> None:
        """Go."""
        self.gone = True


class StrangersTests(SynchronousTestCase):
    """The oldest of the fullest source makes way."""

    def setUp(self) -> None:
        """Room for five, and for three of one source."""
        self.strangers = Strangers(most=5, each=3)

    def knock(self, *hosts: str) -> list[Knocking]:
        """They come in this order."""
        coming = [Knocking(host) for host in hosts]
        for one in coming:
            self.strangers.add(one)
        return coming

    def test_one_source(self) -> None:
        """It pushes out its own; one IPv6 network counts as one."""
        coming = self.knock("2001:db8::1", "2001:db8::2", "192.0.2.1", "2001:db8::3", "2001:db8::4")
        self.assertEqual([one.gone for one in coming], [True, False, False, False, False])
        self.assertEqual(len(self.strangers), 4)

    def test_many_sources(self) -> None:
        """Those that hold most lose first."""
        coming = self.knock("192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3", "192.0.2.2", "192.0.2.4")
        self.assertEqual([one.gone for one in coming], [False, True, False, False, False, False])

    def test_who_is_known_leaves_room(self) -> None:
        """Also when that is said twice."""
        first, *_ = self.knock("192.0.2.1", "192.0.2.1", "192.0.2.1")
        self.strangers.remove(first)
        self.strangers.remove(first)
        [new] = self.knock("192.0.2.1")
        self.assertFalse(first.gone or new.gone)
        self.assertEqual(len(self.strangers), 3)
