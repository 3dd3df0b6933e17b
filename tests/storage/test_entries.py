from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import DeviceId, Reading
from iotcenter.storage.entries import Entry, joined, numbered
from iotcenter.wire.codec import BadReading, DamagedReport
from tests.storage.support import GARDEN, KITCHEN, NOW, report

ENTRIES = st.lists(
    st.builds(
        lambda device, boot, sequence, values, received: Entry(device, report(sequence, *values, boot=boot), received),
        st.sampled_from([KITCHEN, GARDEN]),
        st.integers(1, 2),
        st.integers(1, 6),
        st.lists(st.floats(0, 9), min_size=1, max_size=3),
        st.sampled_from([NOW, NOW + 1]),
    ),
    max_size=12,
)


def readings(entries: list[Entry]) -> list[tuple[DeviceId, int, float, int, Reading]]:
    """All readings, with all that is known of each."""
    return [
        (device, report.boot, received, number, reading)
        for device, report, received in entries
        for number, reading in numbered(report)
    ]


class JoiningTests(SynchronousTestCase):
    """Reports that came together are merged as one."""

    def test_together(self) -> None:
        """What follows on one another is one report, with the clock of the last."""
        entries = [Entry(KITCHEN, report(number, 1.0, 2.0, clock=NOW + number), NOW) for number in (1, 3, 5)]
        [(_, one, _)] = joined(entries)
        self.assertEqual((one.boot, one.sequence, one.time), (1, 1, NOW + 5))
        self.assertEqual([number for number, _ in numbered(one)], [1, 2, 3, 4, 5, 6])

    def test_apart(self) -> None:
        """What came at another time, is of another device or boot, or leaves something out stays for itself."""
        first = Entry(KITCHEN, report(1, 1.0), NOW)
        for other in (
            Entry(KITCHEN, report(2, 1.0), NOW + 1),
            Entry(GARDEN, report(2, 1.0), NOW),
            Entry(KITCHEN, report(2, 1.0, boot=2), NOW),
            Entry(KITCHEN, report(3, 1.0), NOW),
            Entry(KITCHEN, report(1, 1.0), NOW),
            Entry(KITCHEN, DamagedReport(1, 2, 1, 0.0, (), (BadReading(0, "no"),)), NOW),
        ):
            self.assertEqual(joined([first, other]), [first, other])

    @given(ENTRIES)
    def test_same_readings(self, entries: list[Entry]) -> None:
        """Nothing is lost or moved by it."""
        self.assertEqual(readings(joined(entries)), readings(entries))
