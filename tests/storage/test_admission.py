from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from twisted.python.monkey import MonkeyPatcher
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import Reading
from iotcenter.storage import admission
from iotcenter.storage.admission import MOST_SERIES, TOO_LATE, admit, without_refused
from iotcenter.wire.codec import BadReading, DamagedReport
from iotcenter.wire.messages import Ack, Refusal, Report
from tests.storage.support import NOW, report

READINGS = st.builds(
    Reading,
    st.sampled_from(["t", "h", "new", "a b"]),
    st.one_of(st.floats(allow_nan=False), st.just(math.inf), st.booleans(), st.integers(-5, 5), st.just("on")),
    st.sampled_from([NOW - 9, NOW, NOW, NOW + 1, NOW + 86400, NOW + 86401, 5e8, 0.0]),
)
REPORTS = st.lists(
    st.builds(Report, st.just(1), st.integers(1, 9), st.lists(READINGS, min_size=1, max_size=3).map(tuple)), max_size=4
)


class AdmissionTests(SynchronousTestCase):
    """What is said of reports before they are acknowledged."""

    def test_all_well(self) -> None:
        """Each report has its acknowledgement, and the newest reading of each series is known."""
        earliest: dict[str, float] = {}
        acks, newest = admit(
            [report(1, 1.0, 2.0), report(3, 9.0, time=NOW - 60), report(4, True, name="d")], NOW, earliest
        )
        self.assertEqual(acks, [Ack(1, 1, 2), Ack(1, 3, 1), Ack(1, 4, 1)])
        self.assertEqual(newest, {"t": Reading("t", 2.0, NOW + 1), "d": Reading("d", True, NOW)})
        self.assertEqual(earliest, {"t": 0.0, "d": 0.0})

    def test_same_time(self) -> None:
        """Of readings of the same time the later one counts."""
        readings = tuple(Reading("t", value, NOW) for value in (1.0, 3.0, 2.0))
        self.assertEqual(admit([Report(1, 1, readings)], NOW, {}).newest["t"].value, 2.0)

    def test_refused(self) -> None:
        """What will never be stored is said with its reason, and the rest is acknowledged."""
        acks, newest = admit([report(5, 1.0, math.nan, 3.0), report(8, 1.0, time=5e8)], NOW, {})
        self.assertEqual(acks[0], Ack(1, 5, 3, (Refusal(6, "its value is not a finite number"),)))
        self.assertIn("before the year 2001", acks[1].refused[0].reason)
        self.assertEqual(newest["t"].value, 3.0)

    def test_earliest(self) -> None:
        """A name that cannot be is refused, and so is one too many; those that there are go on."""
        earliest = {f"s{number}": 0.0 for number in range(MOST_SERIES - 1)}
        acks, _ = admit(
            [report(1, 1.0, name="a b"), report(2, 1.0, name="last"), report(3, 1.0, name="more")], NOW, earliest
        )
        self.assertIn("cannot have that name", acks[0].refused[0].reason)
        self.assertEqual(acks[1].refused, ())
        self.assertIn("512 series already", acks[2].refused[0].reason)
        self.assertEqual(admit([report(4, 1.0, name="s1")], NOW, earliest).acks[0].refused, ())

    def test_too_late(self) -> None:
        """What is older than its series is kept is refused, and so is what is older than a new one would be."""
        earliest = {"t": NOW + 1}
        acks, newest = admit([report(1, 1.0, 2.0), report(3, 1.0, 2.0, name="d")], NOW, earliest, usual=NOW + 2)
        self.assertEqual(acks[0].refused, (Refusal(1, TOO_LATE),))
        self.assertEqual(acks[1].refused, (Refusal(3, TOO_LATE), Refusal(4, TOO_LATE)))
        self.assertEqual((newest, earliest), ({"t": Reading("t", 2.0, NOW + 1)}, {"t": NOW + 1}))

    def test_without_refused(self) -> None:
        """What is refused does not go to the disk; the rest keeps its numbers, and so does what was damaged."""
        whole = report(7, 1.0, 2.0, 3.0)
        self.assertIs(without_refused(whole, Ack(1, 7, 3)), whole)
        part = without_refused(whole, Ack(1, 7, 3, (Refusal(8, "no"),)))
        bad = BadReading(1, "no")
        self.assertEqual(part, DamagedReport(1, 7, 3, 0.0, ((0, whole.readings[0]), (2, whole.readings[2])), (bad,)))
        self.assertEqual(without_refused(part, Ack(1, 7, 3, (Refusal(8, "no"),))), part)

    def test_damaged(self) -> None:
        """Of a report that decoded in part that part counts."""
        damaged = DamagedReport(1, 10, 2, 0.0, ((1, Reading("t", 2.0, NOW)),), (BadReading(0, "Expected `float`"),))
        acks, newest = admit([damaged], NOW, {})
        self.assertEqual(acks, [Ack(1, 10, 2, (Refusal(10, "Expected `float`"),))])
        self.assertEqual(newest["t"].value, 2.0)

    @given(REPORTS)
    def test_short_way(self, reports: list[Report]) -> None:
        """Reports of which nothing is refused take a way of their own, on which the same is said of them."""
        known, same = {"t": NOW - 5.0, "h": 0.0}, {"t": NOW - 5.0, "h": 0.0}
        the_long_way = MonkeyPatcher((admission, "_admit_plain", lambda *_: None))
        self.assertEqual(admit(reports, NOW, known), the_long_way.runWithPatches(admit, reports, NOW, same))
        self.assertEqual(known, same)
