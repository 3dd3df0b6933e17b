"""The short way of reports that came together."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.chunks import admit_together
from iotcenter.center.readings import AnyReport, merged
from iotcenter.center.timeline import Timeline
from iotcenter.model import Reading
from iotcenter.storage.admission import admit
from iotcenter.wire.codec import BadReading, DamagedReport
from iotcenter.wire.messages import Ack, Report
from tests.center.support import NOW

EARLIEST = {"t": 0.0, "u": NOW - 1000.0}
"""The series that the device has, and from when on each is kept."""

TIMES = st.sampled_from([NOW - 2000.0, NOW - 20.0, NOW - 10.0, NOW - 10.0, NOW, NOW + 90_000.0, -3.0, 5.0])
VALUES = st.sampled_from([20.5, -1e308, True, "open", float("inf")])
CLOCKS = st.sampled_from([NOW, NOW, NOW - 1.0, NOW + 299.0, NOW - 400.0, 0.0])
READINGS = st.builds(Reading, st.sampled_from(["t", "u", "new"]), VALUES, TIMES)


def plain(sequence: int, *values: float) -> Report:
    """A report of which there is nothing to be said."""
    return Report(1, sequence, tuple(Reading("t", value, NOW - 1.0) for value in values), NOW)


def known() -> Timeline:
    """That of a device whose boot 1 has reported."""
    timeline = Timeline()
    timeline.place(plain(1, 1.0), NOW)
    return timeline


class ChunkTests(SynchronousTestCase):
    """What is admitted together, and what is not."""

    def test_one_acknowledgement(self) -> None:
        """Reports that follow on one another are acknowledged as one, and the newest value of a series is its last."""
        admitted = admit_together([plain(2, 1.0, 2.0), plain(4, 3.0)], NOW, EARLIEST, known())
        assert admitted is not None
        self.assertEqual(admitted.acks, [Ack(1, 2, 3)])
        self.assertEqual(admitted.newest, {"t": Reading("t", 3.0, NOW - 1.0)})

    def test_one_by_one(self) -> None:
        """What needs another look is left for it: a gap, another boot, damage, a clock that is wrong."""
        damaged = DamagedReport(1, 3, 1, NOW, (), (BadReading(0, "no number"),))
        strange = Report(1, 3, plain(3, 1.0).readings, NOW - 1000.0)
        for second in (plain(4, 1.0), Report(2, 3, plain(3, 1.0).readings, NOW), damaged, strange):
            self.assertIsNone(admit_together([plain(2, 1.0), second], NOW, EARLIEST, known()))

    @given(st.lists(st.tuples(st.lists(READINGS, min_size=1, max_size=3), CLOCKS), min_size=1, max_size=3))
    def test_same_as_the_long_way(self, sent: list[tuple[list[Reading], float]]) -> None:
        """It comes to what looking at each report by itself comes to, and leaves the timeline the same; where it does
        not apply, it leaves no trace."""
        reports: list[AnyReport] = []
        sequence = 2
        for readings, clock in sent:
            reports.append(Report(1, sequence, tuple(readings), clock))
            sequence += len(readings)
        short, long, before = known(), known(), known()
        together = admit_together(reports, NOW, EARLIEST, short)
        if together is None:
            self.assertEqual(_state(short), _state(before))
            return
        placed = [long.place(report, NOW) for report in reports]
        one_by_one = admit(placed, NOW, dict(EARLIEST))
        self.assertEqual(placed, reports)
        self.assertEqual(together.acks, merged(one_by_one.acks))
        self.assertEqual(together.newest, one_by_one.newest)
        self.assertEqual(_state(short), _state(long))


def _state(timeline: Timeline) -> Any:
    boots = {number: vars(boot) for number, boot in timeline._boots.items()}
    return timeline.clock, timeline.clock_off, boots
