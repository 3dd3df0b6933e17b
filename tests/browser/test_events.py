"""Who did what: the page of events."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from tests.browser.base import BrowserCase
from tests.browser.population import command, populate

LINES = ".event-text"


class EventTests(BrowserCase):
    """What is listed, and how it is found."""

    async def prepare(self) -> None:
        await super().prepare()
        await command(self.house.parts, await populate(self.house.parts, ("attic", "cellar")))
        await self.house.parts.center.devices.rename("attic", "loft", "anna")

    def test_list(self) -> Deferred[None]:
        """Commands, changes and sign-ins stand there with who did them, the newest first, with scripts and without."""

        def act(page: Page) -> None:
            page.get_by_role("link", name="Events").first.click()
            expect(page.locator(LINES).filter(has_text="anna renamed attic to loft")).to_have_count(1)
            expect(page.locator(LINES).filter(has_text="gave kitchen-pi the command")).not_to_have_count(0)
            page.get_by_label("Kind").select_option("Device renamed")
            page.get_by_role("button", name="Show").click()
            expect(page.locator(LINES)).to_have_text(["anna renamed attic to loft"])
            expect(page).to_have_url(re.compile("kind=device.renamed"))
            page.get_by_label("By whom").fill("ben")
            page.get_by_role("button", name="Show").click()
            expect(page.get_by_text("No event matches")).to_be_visible()

        return self.visit(act, java_script_enabled=False)

    def test_mistake(self) -> Deferred[None]:
        """What is no time is said at its field."""

        def act(page: Page) -> None:
            page.goto("/events?from=yesterday")
            expect(page.get_by_label("From")).to_have_attribute("aria-invalid", "true")
            expect(page.get_by_text("Write a time such as")).to_be_visible()

        return self.visit(act)
