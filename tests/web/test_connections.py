"""How many connections are held, and which one has to go."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.web.connections import MAX_CONNECTIONS, MAX_PER_SOURCE, Connections


class Held:
    """A connection that notes that it was dropped."""

    def __init__(self, source: str, waiting: bool = True) -> None:
        self.source = source
        self.waiting = waiting
        self.dropped = False

    def drop(self) -> None:
        """See ``Connection``."""
        self.dropped = True


class ConnectionTests(SynchronousTestCase):
    """Room is made, or not."""

    def setUp(self) -> None:
        """Nobody is there."""
        self.connections = Connections()

    def fill(self, count: int, source: str = "", waiting: bool = True) -> list[Held]:
        """``count`` connections from one source, or each from its own."""
        held = [Held(source or f"192.0.2.{number}", waiting) for number in range(count)]
        for one in held:
            self.assertTrue(self.connections.add(one))
        return held

    def test_oldest_waiting_goes(self) -> None:
        """Where a source has too many, its oldest that waits makes room, and nobody else's."""
        others = self.fill(10)
        busy = self.fill(1, "203.0.113.1", waiting=False)
        waiting = self.fill(MAX_PER_SOURCE - 1, "203.0.113.1")
        self.assertTrue(self.connections.add(Held("203.0.113.1")))
        self.assertEqual([one.dropped for one in waiting], [True] + [False] * (MAX_PER_SOURCE - 2))
        self.assertFalse(any(one.dropped for one in others + busy))

    def test_no_room(self) -> None:
        """Where all of a source are being answered, no more come in; others still do."""
        self.fill(MAX_PER_SOURCE, "203.0.113.1", waiting=False)
        self.assertFalse(self.connections.add(Held("203.0.113.1")))
        self.assertTrue(self.connections.add(Held("203.0.113.2")))

    def test_all(self) -> None:
        """The bound over all holds for everybody, this machine included, which has no bound of its own."""
        held = self.fill(MAX_CONNECTIONS, "127.0.0.1")
        self.assertTrue(self.connections.add(Held("203.0.113.2")))
        self.assertTrue(held[0].dropped)
        self.assertEqual(len(self.connections), MAX_CONNECTIONS)

    def test_removed(self) -> None:
        """A connection that is gone gives its place back, once."""
        [one] = self.fill(1)
        self.connections.remove(one)
        self.connections.remove(one)
        self.assertEqual(len(self.connections), 0)
