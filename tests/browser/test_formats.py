"""What scripts write looks as what the server writes."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page
from twisted.internet.defer import Deferred

from tests.browser.base import BrowserCase
from tests.web.pages.test_formats import CASES

SHOW = """
async ({quantities, conversions, spans, agos, times, twelve, now}) => {
  const format = await import(document.querySelector("script[src*=busy]").src.replace("busy", "format"));
  return {
    quantities: quantities.map(([value, unit, decimals]) => {
      const shown = format.quantity(value, unit, decimals);
      return [value, unit, decimals, shown.text, shown.unit];
    }),
    conversions: conversions.map(([value, unit, decimals, system]) => {
      const shown = format.quantity(value, unit, decimals, system);
      return [value, unit, decimals, system, shown.text, shown.unit];
    }),
    spans: spans.map(([seconds]) => [seconds, format.span(seconds)]),
    agos: agos.map(([passed]) => [passed, format.ago(1e9 - passed, 1e9)]),
    times: times.map(([time, zone]) => (
      [time, zone, format.exact(time, zone, false), format.short(time, now, zone, false)])),
    twelve: twelve.map(([time, zone]) => (
      [time, zone, format.exact(time, zone, true), format.short(time, now, zone, true)])),
    now,
  };
}
"""


class FormatTests(BrowserCase):
    """``format.js``."""

    def test_as_on_the_server(self) -> Deferred[None]:
        """Each value and time in formats.json is shown as it says there, whatever the browser's zone and language."""

        def act(page: Page) -> None:
            found: Any = page.evaluate(SHOW, CASES)
            self.assertEqual({**found, "german": CASES["german"]}, CASES)

        return self.visit(act, "/more", timezone_id="America/Anchorage", locale="ar-EG")

    def test_in_german(self) -> Deferred[None]:
        """So it is on a page in German."""

        def act(page: Page) -> None:
            found: Any = page.evaluate(SHOW, CASES["german"])
            self.assertEqual(found, CASES["german"])

        return self.visit(act, "/more", locale="de-DE")
