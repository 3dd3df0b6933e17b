"""The logs of devices, as people see them."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from iotcenter.model import LogLevel
from tests.browser.base import BrowserCase
from tests.browser.devices import make_device


class LogsTests(BrowserCase):
    """The page of all devices' logs."""

    async def prepare(self) -> None:
        await super().prepare()
        self.attic = await make_device(self.house.parts, "attic")
        self.cellar = await make_device(self.house.parts, "cellar")
        for device in (self.attic, self.cellar):
            device.connect()
            device.log(LogLevel.INFO, f"hello from {device.name}")

    def test_live_and_filtered(self) -> Deferred[None]:
        """Lines of all devices appear as they are logged; the filter takes away what does not fit, new lines too."""

        def act(page: Page) -> None:
            expect(page.locator("[data-live-word]")).to_have_text("Live")
            self.on_server(self.cellar.log, LogLevel.ERROR, "pump stuck")
            expect(page.locator(".log-line").last).to_contain_text("pump stuck")
            expect(page.locator(".log-line").last.get_by_role("link")).to_have_text("cellar")
            page.get_by_label("Device").select_option("attic")
            expect(page.locator(".log-line:visible")).to_have_count(1)
            self.on_server(self.cellar.log, LogLevel.ERROR, "still stuck")
            self.on_server(self.attic.log, LogLevel.WARNING, "roof wet")
            expect(page.locator(".log-line:visible")).to_have_count(2)
            page.get_by_label("From level").select_option("warning")
            expect(page.locator(".log-line:visible .log-text")).to_have_text("roof wet")

        return self.visit(act, "/logs")

    def test_search_and_download(self) -> Deferred[None]:
        """Without scripts the filter is a form; what it shows can be downloaded, with nothing in it that a terminal
        obeys."""

        def act(page: Page) -> None:
            self.on_server(self.attic.log, LogLevel.WARNING, "roof \x1b[31mwet\nvery")
            page.get_by_label("Text").fill("WET")
            page.get_by_role("button", name="Show").click()
            expect(page.locator(".log-line")).to_have_count(1)
            with page.expect_download() as download:
                page.get_by_role("link", name="Download").click()
            text = download.value.path().read_text()
            self.assertRegex(text, r"^\S+ attic warning roof \\x1b\[31mwet\\nvery\n$")

        return self.visit(act, "/logs", java_script_enabled=False)
