"""Which readings are on their way, and which are there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from iotdevice.tail import SAVED, UNSAVED, Tail
from iotdevice.window import READINGS, REPORTS, START, Key, Row, Window, first_run
from tests.device.support import Case


def rows(*keys: Key) -> list[Row]:
    """Readings with these numbers."""
    return [Row(boot, sequence, "x", 1.0, 0.0) for boot, sequence in keys]


def some(first: int, count: int, boot: int = 1) -> list[Row]:
    """Consecutive readings."""
    return rows(*((boot, number) for number in range(first, first + count)))


class FirstRunTests(Case):
    """What one report carries."""

    def test_gap(self) -> None:
        """A report ends where a number is missing, since the server counts on from its first."""
        self.assertEqual(first_run(rows((1, 1), (1, 2), (1, 4))), rows((1, 1), (1, 2)))

    def test_boot(self) -> None:
        """A report holds readings of one boot only."""
        self.assertEqual(first_run(rows((1, 7), (2, 8))), rows((1, 7)))

    def test_bound(self) -> None:
        """A report is no longer than it may be."""
        self.assertEqual(len(first_run(some(1, READINGS + 1))), READINGS)


class WindowTests(Case):
    """Which reports are in flight."""

    def setUp(self) -> None:
        self.window = Window()

    def test_done_in_order(self) -> None:
        """An acknowledgement that overtakes an older report's does not count until that is acknowledged too."""
        for first in (1, 3, 5):
            self.window.put(some(first, 2))
        self.window.acknowledge(1, 3, 2)
        self.assertEqual((self.window.done, self.window.sent), (START, (1, 6)))
        self.window.acknowledge(1, 1, 2)
        self.assertEqual(self.window.done, (1, 4))

    def test_several_at_once(self) -> None:
        """One acknowledgement may cover several reports."""
        for first in (1, 3, 5):
            self.window.put(some(first, 2))
        self.window.acknowledge(1, 1, 6)
        self.assertEqual(self.window.done, (1, 6))

    def test_part(self) -> None:
        """An acknowledgement of a part of a report is none: what is not wholly there is sent again."""
        self.window.put(some(1, 4))
        self.window.acknowledge(1, 1, 3)
        self.window.acknowledge(1, 2, 3)
        self.assertEqual(self.window.done, START)

    def test_room(self) -> None:
        """So many reports may be in flight, and no more."""
        for number in range(REPORTS):
            self.assertTrue(self.window.room)
            self.window.put(some(1 + number, 1))
        self.assertFalse(self.window.room)

    def test_busy(self) -> None:
        """What a busy server turned away, and all that followed, is to be sent again; what went before is still in
        flight."""
        for first in (1, 3, 5):
            self.window.put(some(first, 2))
        self.window.take_back((1, 3))
        self.assertEqual(self.window.sent, (1, 2))
        self.window.acknowledge(1, 1, 2)
        self.assertEqual(self.window.done, (1, 2))

    def test_lost_link(self) -> None:
        """All that was not acknowledged is to be sent again."""
        self.window.put(some(1, 2))
        self.window.acknowledge(1, 1, 2)
        self.window.put(some(3, 2))
        self.window.take_back()
        self.assertEqual((self.window.done, self.window.sent), ((1, 2), (1, 2)))

    @given(st.data())
    def test_done_is_what_was_acknowledged(self, data: st.DataObject) -> None:
        """Whatever is sent, acknowledged and taken back, ``done`` never passes a reading that was not acknowledged."""
        window, number, acknowledged = Window(), 0, {0}
        for step in data.draw(st.lists(st.sampled_from(["put", "ack", "back"]), max_size=60)):
            if step == "put" and window.room:
                count = data.draw(st.integers(1, 5))
                window.put(some(number + 1, count))
                number += count
            elif step == "ack":
                first, count = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 10))
                window.acknowledge(1, first, count)
                acknowledged |= set(range(first, first + count))
            elif step == "back":
                window.take_back((1, data.draw(st.integers(0, 40))))
                number = window.sent[1]
            self.assertLessEqual(set(range(window.done[1] + 1)), acknowledged)
            self.assertLessEqual(window.done, window.sent)


class TailTests(Case):
    """The newest readings, in memory."""

    def filled(self, saved: Key, first: int, count: int) -> Tail:
        """A tail that took these readings."""
        tail = Tail(saved)
        for row in some(first, count):
            tail.append(row)
        return tail

    def test_from_disk(self) -> None:
        """Readings older than the memory's are on disk, newer ones need not be read from there."""
        tail = self.filled(saved=(1, 4), first=5, count=3)
        self.assertIsNone(tail.after((1, 2), 10))
        self.assertEqual(tail.after((1, 4), 2), some(5, 2))
        self.assertEqual(tail.after((1, 7), 10), [])

    def test_saved(self) -> None:
        """What is on disk, and on its way, is dropped from memory; what is not on disk never is."""
        tail = self.filled(saved=START, first=1, count=6)
        tail.saved_to((1, 4), done=START, sent=(1, 5), trimmed=START)
        self.assertEqual(tail.unsaved(), some(5, 2))
        self.assertIsNone(tail.after((1, 3), 10))
        self.assertEqual(tail.after((1, 4), 10), some(5, 2))

    def test_saved_not_sent(self) -> None:
        """Some readings that are on disk stay in memory, for the next reports."""
        tail = self.filled(saved=START, first=1, count=SAVED + 5)
        tail.saved_to((1, SAVED + 5), done=START, sent=START, trimmed=START)
        self.assertIsNone(tail.after((1, 4), 10))
        self.assertEqual(tail.after((1, 6), 2), some(7, 2))

    def test_full(self) -> None:
        """Where the disk takes nothing, the oldest readings go first, and are counted."""
        tail = self.filled(saved=START, first=1, count=UNSAVED)
        self.assertEqual(tail.append(some(UNSAVED + 1, 1)[0]), 1)
        self.assertEqual(tail.unsaved()[0].key, (1, 2))

    def test_stale(self) -> None:
        """The disk is asked to forget only what it was given."""
        tail = self.filled(saved=START, first=1, count=4)
        self.assertFalse(tail.stale((1, 4)))
        tail.saved_to((1, 4), done=START, sent=START, trimmed=START)
        self.assertTrue(tail.stale((1, 2)))
        tail.saved_to((1, 4), done=(1, 2), sent=(1, 2), trimmed=START)
        self.assertFalse(tail.stale((1, 2)))
