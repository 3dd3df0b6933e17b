"""Times in a query."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import FAR_FUTURE
from iotcenter.web.when import BadTime, parse_time, zone_named

NOW = 1_795_000_000.25


class WhenTests(SynchronousTestCase):
    """What is read as a time, and what is not."""

    def test_relative(self) -> None:
        """``now`` and what is before and after it."""
        for text, seconds in {"now": 0, "now-6h": -21600, "now-90s": -90, "now+1d": 86400, "now-2w": -1209600}.items():
            self.assertEqual(parse_time(text, NOW), NOW + seconds)

    def test_unix(self) -> None:
        """Unix seconds, whole or not."""
        self.assertEqual(parse_time("1764000000", NOW), 1764000000)
        self.assertEqual(parse_time(" 1764000000.5 ", NOW), 1764000000.5)
        self.assertEqual(parse_time("-1", NOW), -1)

    def test_iso(self) -> None:
        """ISO 8601 with an offset means the same everywhere; without, it is on the clocks of whoever asks."""
        self.assertEqual(parse_time("2026-11-22T14:00:00Z", NOW), 1795356000)
        self.assertEqual(parse_time("2026-11-22T15:00+01:00", NOW, ZoneInfo("Asia/Tokyo")), 1795356000)
        self.assertEqual(parse_time("2026-11-22 15:00", NOW, ZoneInfo("Europe/Berlin")), 1795356000)
        self.assertEqual(parse_time("2026-11-22", NOW), 1795305600)

    def test_bad(self) -> None:
        """Everything else is refused in words."""
        for text in ("", "now-", "now-6", "now6h", "6h", "NaN", "inf", "1e9", "0x10", "2026-13-01", "9" * 13, "a" * 50):
            with self.subTest(text[:20]), self.assertRaises(BadTime) as raised:
                parse_time(text, NOW)
            self.assertIn("now-6h", str(raised.exception))

    def test_far(self) -> None:
        """Times that no calendar of ours can write are refused, also where they are reached from now."""
        for text in ("now+999999999w", "now-999999999w", "999999999999"):
            self.assertRaises(BadTime, parse_time, text, NOW)

    @given(st.text(max_size=50) | st.from_regex(r"\A(now)?[+-]?[0-9:.TZ -]*[smhdw]?\Z"))
    def test_anything(self, text: str) -> None:
        """Any text is a time within bounds, or ``BadTime``."""
        try:
            time = parse_time(text, NOW)
        except BadTime:
            return
        self.assertTrue(-FAR_FUTURE <= time <= FAR_FUTURE)

    def test_zone(self) -> None:
        """A zone that this machine does not know is UTC."""
        self.assertEqual(zone_named("Europe/Berlin"), ZoneInfo("Europe/Berlin"))
        for name in ("Nowhere/Else", "../../etc/passwd", "", "\0"):
            self.assertIs(zone_named(name), UTC)
