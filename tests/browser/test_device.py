"""A device's page, beyond its values and commands."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from tests.browser.base import BrowserCase
from tests.browser.devices import make_device


class DevicePageTests(BrowserCase):
    """Link, events and settings."""

    async def prepare(self) -> None:
        await super().prepare()
        self.device = await make_device(self.house.parts, "attic")
        self.device.connect()
        self.device.report({"temperature": 21.0})

    def test_link(self) -> Deferred[None]:
        """The last day is a strip of 48 half-hours, in words too; the device was here since it was added."""

        def act(page: Page) -> None:
            link = page.locator("#link")
            expect(link.locator(".presence li")).to_have_count(48)
            expect(link.locator(".presence li").last).to_contain_text("here all the time")
            expect(link).to_contain_text("Here for 100 % of the last 24 hours")
            expect(link).to_contain_text("192.168.1.34")

        return self.visit(act, "/devices/attic")

    def test_expected(self) -> Deferred[None]:
        """It can be expected more often than it says: then it is late sooner. What is no time is said to be none."""

        def act(page: Page) -> None:
            expected = page.get_by_label("Expect it every")
            for wrong, right in (("0.5", ""), ("", "600")):
                expected.fill(wrong or right)
                page.evaluate("document.querySelector('#expected').form.noValidate = true")
                page.get_by_role("button", name="Expect", exact=True).click()
                if wrong:
                    expect(page.locator("#expected-fault")).to_contain_text("A number of seconds")
            expect(expected).to_have_value("600")
            while "anna expects attic every 10 min" not in page.locator("#events").inner_text():
                page.reload()

        return self.visit(act, "/devices/attic", errors=True, java_script_enabled=False)
