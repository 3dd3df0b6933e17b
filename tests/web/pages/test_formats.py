"""Values and times as people write them."""

from __future__ import annotations

import json
import math
from contextvars import copy_context
from gettext import NullTranslations
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import LARGEST, Hours, Preferences, UnitSystem
from iotcenter.texts import speak
from iotcenter.web.assets import Assets
from iotcenter.web.conversions import CONVERSIONS, conversion
from iotcenter.web.pages.times import Moment, moment_of, zone_names
from iotcenter.web.pages.units import Quantity, number, quantity, span

CASES = json.loads(Path(__file__).with_name("formats.json").read_text())
"""What is shown for what; the browser tests hold ``format.js`` to the same."""


def german() -> NullTranslations:
    """The catalog of those who read German."""
    return Assets.load().languages.choose("de", ())


class QuantityTests(SynchronousTestCase):
    """``quantity``, ``number`` and ``span``."""

    def test_values_look_as_written_down(self) -> None:
        """Each value in formats.json is shown as it says there."""
        self.check_quantities(CASES)

    def test_converted_values_look_as_written_down(self) -> None:
        """So does each value in the units that somebody prefers; what cannot be converted stays as it is."""
        self.check_conversions(CASES)

    def test_values_in_german(self) -> None:
        """In German they have a comma."""
        copy_context().run(self.in_german)

    def in_german(self) -> None:
        """The same, for whoever reads German."""
        speak(german())
        self.check_quantities(CASES["german"])
        self.check_conversions(CASES["german"])

    def check_quantities(self, cases: Any) -> None:
        """Values as they were measured."""
        for value, unit, decimals, text, shown in cases["quantities"]:
            self.assertEqual(quantity(value, unit, decimals), Quantity(text, shown), (value, unit, decimals))

    def check_conversions(self, cases: Any) -> None:
        """Values in other units."""
        for value, unit, decimals, system, text, shown in cases["conversions"]:
            found = quantity(value, unit, decimals, UnitSystem(system))
            self.assertEqual(found, Quantity(text, shown), (value, unit, system))

    def test_converting_twice(self) -> None:
        """What was converted to a system is not converted in it again."""
        for system, table in CONVERSIONS.items():
            for one in table.values():
                self.assertIsNone(conversion(one.unit, system))

    def test_there_and_back(self) -> None:
        """A value that is converted to the one system and back is what it was."""
        for unit, there in CONVERSIONS[UnitSystem.IMPERIAL].items():
            back = conversion(there.unit, UnitSystem.METRIC)
            if back is not None and back.unit == unit:
                self.assertAlmostEqual(back.value(there.value(17.5)), 17.5, places=6, msg=unit)

    def test_lengths_of_time(self) -> None:
        """A length of time has its two largest units."""
        for seconds, text in CASES["spans"]:
            self.assertEqual(span(seconds), text)

    @given(st.floats(-LARGEST, LARGEST), st.none() | st.integers(0, 9), st.sampled_from(["", "Cel", "B", "s", "count"]))
    def test_every_number_can_be_shown(self, value: float, decimals: int | None, unit: str) -> None:
        """Whatever a device may send is shown, in a text of bounded length."""
        self.assertLessEqual(len(quantity(value, unit, decimals).text), 30)

    @given(st.floats(0.001, 999))
    def test_three_significant_digits(self, value: float) -> None:
        """Without decimals a number is within half a unit of its third digit."""
        off = abs(float(number(value)) - value)
        self.assertLessEqual(off, 0.5 * 10 ** (math.floor(math.log10(value)) - 2) * 1.0001)


class MomentTests(SynchronousTestCase):
    """``Moment``."""

    def test_times_look_as_written_down(self) -> None:
        """Each time in formats.json is shown as it says there, in its zone."""
        self.check_times(CASES)

    def test_times_in_german(self) -> None:
        """So it is in German."""
        copy_context().run(self.in_german)

    def in_german(self) -> None:
        """The same, for whoever reads German."""
        speak(german())
        self.check_times(CASES["german"])
        self.check_agos(CASES["german"])

    def check_times(self, cases: Any) -> None:
        """Times where clocks go up to 24, and up to 12."""
        for key, twelve in (("times", False), ("twelve", True)):
            for time, zone, exact, short in cases[key]:
                moment = Moment(cases["now"], zone, twelve)
                self.assertEqual((moment.exact(time), moment.short(time)), (exact, short), (time, zone))

    def test_to_the_minute(self) -> None:
        """What is as long as minutes is told without seconds."""
        noon = 1795348800.0
        told = {(noon, False): "12:00", (noon, True): "12:00\u202fpm", (noon - 86400, False): "21 Nov, 12:00"}
        for (time, twelve), text in told.items():
            self.assertEqual(Moment(noon, "UTC", twelve).minute(time), text)

    def test_what_is_usual(self) -> None:
        """Without a choice, clocks go as is usual where the browser's first language is spoken."""
        cases = {("en-US", "de"): True, ("de", "en-US"): False, ("en",): True, ("en-GB",): False, ("zh-Hant-TW",): True}
        for languages, twelve in {**cases, (): False, ("x",): False}.items():
            self.assertEqual(moment_of(0.0, Preferences(), languages).twelve, twelve, languages)
            for hours, chosen in ((Hours.TWELVE, True), (Hours.TWENTY_FOUR, False)):
                self.assertEqual(moment_of(0.0, Preferences(hours=hours), languages).twelve, chosen)

    def test_how_long_ago(self) -> None:
        """What was is so long ago, what will be is in so long, and what is about now is now."""
        self.check_agos(CASES)

    def check_agos(self, cases: Any) -> None:
        """How long ago, and in how long."""
        for passed, text in cases["agos"]:
            self.assertEqual(Moment(1e9).ago(1e9 - passed), text)

    def test_for_machines(self) -> None:
        """The attribute ``datetime`` holds ISO 8601 with the offset of the zone."""
        self.assertEqual(Moment(0.0, "Asia/Kolkata").iso(1795356202.9), "2026-11-22T19:33:22+05:30")

    @given(st.floats(-253402300800.0, 253402300800.0), st.sampled_from(["UTC", "Pacific/Kiritimati", "America/Adak"]))
    def test_every_time_can_be_shown(self, time: float, zone: str) -> None:
        """Whatever time a device may send is shown, in every zone."""
        moment = Moment(0.0, zone)
        self.assertTrue(moment.exact(time) and moment.short(time) and moment.iso(time) and moment.ago(time))

    def test_a_zone_that_is_gone(self) -> None:
        """A user whose zone this machine does not know (any more) sees UTC."""
        for name in ("Europe/Atlantis", "../etc/passwd", "", "\0"):
            self.assertEqual(Moment(0.0, name).zone.key, "UTC")

    def test_zones_to_choose_from(self) -> None:
        """UTC comes first, then the cities; old names are left out."""
        names = zone_names()
        self.assertEqual(names[0], "UTC")
        self.assertIn("Europe/Berlin", names)
        self.assertNotIn("US/Pacific", names)
