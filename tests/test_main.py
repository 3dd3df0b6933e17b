"""The count at the end of ``script/test``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.__main__ import Tally, count


class CountTests(SynchronousTestCase):
    """What is read out of trial's last line."""

    def test_all_kinds(self) -> None:
        """Errors and surprises count as failed, failures that were expected as passed."""
        summary = "FAILED (skips=1, expectedFailures=2, failures=3, errors=4, unexpectedSuccesses=5, successes=6)"
        self.assertEqual(count(summary), Tally(passed=8, failed=12, skipped=1))

    def test_nothing_ran(self) -> None:
        """A run without tests passes, says trial; it counts none."""
        self.assertEqual(count("PASSED"), Tally())

    def test_other_lines(self) -> None:
        """No other line of the output counts, even if it looks alike."""
        for line in ("Ran 3 tests in 0.1s", "  test_x ... [OK]", "all PASSED (successes=9)", ""):
            self.assertIsNone(count(line))

    def test_line(self) -> None:
        """The count is one line that machines read too."""
        self.assertEqual(str(Tally(12, 1, 2)), "12 passed, 1 failed, 2 skipped")


class ProblemTests(SynchronousTestCase):
    """What makes a run fail."""

    def test_good(self) -> None:
        """A run in which all passed is good; one with skipped tests is, outside CI."""
        self.assertEqual(Tally(passed=3).problems(in_ci=True), [])
        self.assertEqual(Tally(passed=3, skipped=1).problems(in_ci=False), [])

    def test_bad(self) -> None:
        """A failure, nothing that ran, and in CI a test that was skipped: none of them goes through."""
        self.assertEqual(Tally(passed=3, failed=1).problems(in_ci=False), ["some tests failed"])
        self.assertEqual(Tally(skipped=4).problems(in_ci=False), ["no test ran"])
        self.assertEqual(Tally(passed=3, skipped=1).problems(in_ci=True), ["in CI no test may be skipped"])
