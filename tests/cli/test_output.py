"""How values, times and ages are written."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.cli.output import age, moment, plain


class OutputTests(SynchronousTestCase):
    """What a person reads."""

    def test_values(self) -> None:
        """Values are written as JSON writes them, texts as they are, and nothing as nothing."""
        self.assertEqual(
            [plain(value) for value in (1.5, True, None, "open", {"a": 1})], ["1.5", "true", "", "open", '{"a": 1}']
        )

    def test_ages(self) -> None:
        """Ages are said in the largest unit of which there are two; a clock that went back makes them 0."""
        ages = [age(1000.0 - seconds, 1000.0) for seconds in (-5, 0, 119, 120, 7199, 7200, 86400 * 2)]
        self.assertEqual(ages, ["0 s ago", "0 s ago", "119 s ago", "2 min ago", "119 min ago", "2 h ago", "2 days ago"])
        self.assertEqual(age(None, 1000.0), "never")

    def test_moments(self) -> None:
        """A time says its offset."""
        self.assertRegex(moment(1790000000.0), r"^2026-09-\d\d \d\d:\d\d:20[+-]\d\d:\d\d$")
        self.assertEqual(moment(None), "")
