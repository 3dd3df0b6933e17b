"""Looking back: the page of charts, with scripts and without."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from tests.browser.base import BrowserCase
from tests.browser.population import populate

ONE = "/charts?s=attic.humidity"
TWO = f"{ONE}&s=attic.temperature"
CANVAS = "#chart canvas"


class ChartTests(BrowserCase):
    """Choosing, drawing, zooming, and following."""

    async def prepare(self) -> None:
        await super().prepare()
        await populate(self.house.parts, ("attic",))

    def test_choosing(self) -> Deferred[None]:
        """From nothing to a chart: a device, one of its series, and another; and one taken out."""

        def act(page: Page) -> None:
            page.get_by_role("link", name="Charts").first.click()
            self._choose(page, "A series of", "attic")
            page.get_by_role("link", name="Humidity").click()
            expect(page.locator(CANVAS)).to_have_count(1)
            self._choose(page, "Another series of", "attic")
            page.get_by_role("link", name="Temperature").click()
            expect(page.locator(".u-legend").first).to_contain_text("attic · Humidity")
            page.get_by_role("link", name="Remove attic · Humidity").click()
            expect(page.locator("[data-key]")).to_have_count(1)
            expect(page).to_have_url(re.compile(r"s=attic\.temperature"))

        return self.visit(act)

    def _choose(self, page: Page, field: str, device: str) -> None:
        """Choose a device, once the page has its scripts, which submit that by themselves."""
        expect(page.locator("[data-live-word]")).to_have_text("Live")
        page.get_by_label(field).select_option(device)

    def test_zoom(self) -> Deferred[None]:
        """Dragging zooms, stops following, and is kept in the address; a double click and the button go back."""

        def act(page: Page) -> None:
            page.goto(TWO)
            expect(page.locator("[data-chart=live]")).to_have_attribute("aria-pressed", "true")
            said = page.locator("[data-chart-said]")
            expect(said).to_contain_text(" to ")
            whole = said.text_content() or ""
            self._drag(page)
            expect(said).not_to_have_text(whole)
            expect(page.locator("[data-chart=live]")).to_have_attribute("aria-pressed", "false")
            expect(page).to_have_url(re.compile(r"from=\d{10}&to=\d{10}"))
            zoomed = said.text_content() or ""
            page.locator("#chart").press("+")
            expect(said).not_to_have_text(zoomed)
            page.get_by_role("button", name="Zoom out").click()
            expect(said).to_have_text(zoomed)
            page.locator("#chart .u-over").first.dblclick(position={"x": 50, "y": 50})
            expect(said).to_have_text(whole)

        return self.visit(act)

    def _drag(self, page: Page) -> None:
        box = page.locator("#chart .u-over").first.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 50, steps=5)
        page.mouse.up()

    def test_without_scripts(self) -> Deferred[None]:
        """The same page has the numbers: statistics, a table, CSV, and forms to choose by."""

        def act(page: Page) -> None:
            page.goto(f"{ONE}&device=attic")
            expect(page.get_by_role("link", name="Temperature")).to_be_visible()
            row = page.locator("table").first.locator("tbody tr")
            expect(row).to_contain_text("attic · Humidity")
            expect(row).to_contain_text("%")
            page.locator("summary").filter(has_text="rows").click()
            expect(page.locator("table").nth(1).locator("tbody tr").first).to_contain_text("2026")
            page.get_by_label("From").fill("now-5m")
            page.get_by_role("button", name="Show").click()
            expect(page).to_have_url(re.compile("from=now-5m"))

        return self.visit(act, java_script_enabled=False)

    def test_mistakes(self) -> Deferred[None]:
        """What is no time is said at its field, and what was typed is kept; what there is not is left out."""

        def act(page: Page) -> None:
            page.goto("/charts?s=attic.humidity&s=nobody.x&s=&from=yesterday")
            field = page.get_by_label("From")
            expect(field).to_have_value("yesterday")
            expect(field).to_have_attribute("aria-invalid", "true")
            expect(page.get_by_text("Write a time such as")).to_be_visible()
            page.goto("/charts?s=attic.humidity&s=nobody.x&s=attic&step=7")
            expect(page.locator("[data-key]")).to_have_count(1)

        return self.visit(act)
