"""Online, late, offline, and how long that is in words."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.known import in_label
from iotcenter.center.lengths import in_words
from iotcenter.center.presence import judge
from iotcenter.model import PresenceState


class PresenceTests(SynchronousTestCase):
    """Each device is judged by its own rhythm."""

    def test_states(self) -> None:
        """Three of its intervals, and at least 10 s, may pass."""
        for linked, silence, every, expected in (
            (True, 29, 10, PresenceState.ONLINE),
            (True, 31, 10, PresenceState.LATE),
            (True, 9, 0.1, PresenceState.ONLINE),
            (True, 11, 0.1, PresenceState.LATE),
            (True, 1e6, 0, PresenceState.ONLINE),
            (True, 10000, 3600, PresenceState.ONLINE),
            (False, 0, 10, PresenceState.OFFLINE),
        ):
            self.assertIs(judge(linked, 1000.0, every, 1000.0 + silence)[0], expected)

    def test_reasons(self) -> None:
        """What is expected, and what came."""
        self.assertEqual(judge(True, 0.0, 10, 185.0)[1], "no readings for 3 min, expected every 10 s")
        self.assertEqual(judge(False, None, 0, 0.0)[1], "it has never been here")

    def test_words(self) -> None:
        """Lengths of time as people say them."""
        lengths = (0.5, 9.5, 45, 119, 7200, 180000, 864000)
        self.assertEqual(
            [in_words(length) for length in lengths], ["0.5 s", "9.5 s", "45 s", "1 min", "2 h", "2 days", "10 days"]
        )

    def test_labels(self) -> None:
        """A series without a label gets one from its name."""
        self.assertEqual([in_label("cpu_load"), in_label("t"), in_label("a-b")], ["Cpu load", "T", "A b"])
