from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.storage.progress import MOST_GAPS, Progress, Range, unpacked

SPARSE = st.lists(st.tuples(st.integers(1, 10_000), st.integers(1, 3)), max_size=300)
DENSE = st.lists(st.tuples(st.integers(1, 2 * MOST_GAPS), st.integers(1, 20)), max_size=100)


def numbers(ranges: tuple[Range, ...]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


class ProgressTests(SynchronousTestCase):
    """What is remembered of the sequence numbers that have come."""

    def test_in_order(self) -> None:
        """Reports in order leave nothing but the high-water mark."""
        progress, fresh = Progress().add(1, 5)
        self.assertEqual((progress, fresh), (Progress(5), ((1, 5),)))
        self.assertEqual(progress.add(6, 6), (Progress(6), ((6, 6),)))

    def test_repetition(self) -> None:
        """What came before is not new, and changes nothing."""
        progress, _ = Progress().add(1, 5)
        self.assertEqual(progress.add(2, 4), (progress, ()))

    def test_overlap(self) -> None:
        """Of what partly came before, the rest is new."""
        progress, _ = Progress().add(1, 5)
        self.assertEqual(progress.add(4, 8), (Progress(8), ((6, 8),)))

    def test_gap(self) -> None:
        """What is left out is a gap, and can be filled in later, in pieces."""
        progress, fresh = Progress().add(10, 12)
        self.assertEqual((progress, fresh), (Progress(12, ((1, 9),)), ((10, 12),)))
        progress, fresh = progress.add(4, 5)
        self.assertEqual((progress, fresh), (Progress(12, ((1, 3), (6, 9))), ((4, 5),)))
        progress, fresh = progress.add(1, 12)
        self.assertEqual((progress, fresh), (Progress(12), ((1, 3), (6, 9))))

    @given(DENSE)
    def test_like_a_set(self, reports: list[tuple[int, int]]) -> None:
        """Whatever the order and repetition, it knows exactly what has come."""
        progress, seen = Progress(), set[int]()
        for first, count in reports:
            came = set(range(first, first + count))
            progress, fresh = progress.add(first, first + count - 1)
            self.assertEqual(numbers(fresh), came - seen)
            seen |= came
            self.assertEqual(set(range(1, progress.high + 1)) - numbers(progress.gaps), seen)

    @given(SPARSE)
    def test_bounded(self, reports: list[tuple[int, int]]) -> None:
        """With more gaps than are remembered, nothing that came is ever new again."""
        progress, seen = Progress(), set[int]()
        for first, count in reports:
            progress, fresh = progress.add(first, first + count - 1)
            self.assertLessEqual(len(progress.gaps), MOST_GAPS)
            self.assertEqual(numbers(fresh) & seen, set())
            seen |= set(range(first, first + count))
            self.assertEqual(numbers(progress.gaps) & seen, set())

    def test_lowest_gap_is_closed(self) -> None:
        """Where there are too many gaps, it is the lowest that is given up."""
        progress = Progress()
        for sequence in range(2, 2 * MOST_GAPS + 3, 2):
            progress, _ = progress.add(sequence, sequence)
        self.assertEqual((len(progress.gaps), progress.gaps[0]), (MOST_GAPS, (3, 3)))
        self.assertEqual(progress.add(1, 1), (progress, ()))

    @given(DENSE)
    def test_kept(self, reports: list[tuple[int, int]]) -> None:
        """What is kept in the database gives the same progress again."""
        progress = Progress()
        for first, count in reports:
            progress, _ = progress.add(first, first + count - 1)
        self.assertEqual(unpacked((progress.high, progress.packed_gaps())), progress)

    def test_highest_numbers(self) -> None:
        """A report may reach beyond the highest first sequence number."""
        progress, _ = Progress().add(2**32 - 1, 2**32 + 998)
        self.assertEqual(unpacked((progress.high, progress.packed_gaps())), progress)
