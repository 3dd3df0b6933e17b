"""The account of a device's readings, and its clock, in words."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import Account, ClockState, Device
from iotcenter.web.pages.books import account, clock


def words(state: ClockState, offset: float | None = None) -> str:
    """What the page says of such a clock."""
    return clock(Device("pi", "0" * 32, "tls", clock=state, clock_offset=offset))


class ClockTests(SynchronousTestCase):
    """What the page says of a clock."""

    def test_words(self) -> None:
        """It says whether the clock is right, by how much it is not, and what is done about that."""
        self.assertEqual(words(ClockState.UNKNOWN), "unknown until it reports")
        self.assertEqual(words(ClockState.RIGHT, -0.4), "correct")
        self.assertEqual(words(ClockState.RIGHT, -2.0), "correct (2 s behind)")
        self.assertEqual(words(ClockState.WRONG, 3 * 3600.0), "3 h ahead: the times of its readings are set right")
        self.assertEqual(words(ClockState.NONE), "none: its readings are placed by their ages")


class AccountTests(SynchronousTestCase):
    """What the page says of the account."""

    def test_words(self) -> None:
        """It says whether anything is missing, and why."""
        for books, said in (
            (Account(), "Nothing was received"),
            (Account(received=5, duplicates=3, late=2), "Nothing is missing"),
            (Account(received=5, lost=1), "1 reading is missing: the device had no room"),
            (Account(received=5, lost=1200), "readings are missing"),
            (Account(received=5, refused=2), "2 readings are refused as impossible"),
        ):
            self.assertIn(said, account(Device("pi", "0" * 32, "tls", account=books)))
