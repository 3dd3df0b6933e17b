"""Everything works with scripting off, by reloading."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from tests.browser.base import BrowserCase
from tests.browser.browser import FORMS
from tests.browser.devices import make_device


class WithoutScriptsTests(BrowserCase):
    """A browser that runs no scripts."""

    async def prepare(self) -> None:
        await super().prepare()
        self.device = await make_device(self.house.parts, "attic")
        self.device.connect()
        self.device.report({"temperature": 21.0})

    def look(self, act: Any, path: str, **options: Any) -> Deferred[None]:
        """As ``visit``, with scripting off."""
        return self.visit(act, path, java_script_enabled=False, **options)

    def test_values(self) -> Deferred[None]:
        """The dashboard has values, units and times, and a link to reload."""

        def act(page: Page) -> None:
            row = page.locator("[data-series=temperature]")
            expect(row).to_contain_text("21.0°C")
            self.on_server(self.device.report, {"temperature": 25.5})
            while "25.5" not in (row.text_content() or ""):
                page.get_by_role("link", name="Reload").click()
            expect(page.locator("[data-live]")).to_be_hidden()

        return self.look(act, "/")

    def test_a_command(self) -> Deferred[None]:
        """A command is a page with a form; its result is there after a reload."""

        def act(page: Page) -> None:
            page.get_by_role("link", name="Identify").click()
            page.get_by_label("Seconds").fill("100")
            page.evaluate("document.querySelector('[data-command]').noValidate = true")
            page.get_by_role("button", name="Identify").click()
            expect(page.get_by_text("Seconds must be at most 60 s")).to_be_visible()
            page.get_by_label("Seconds").fill("10")
            page.get_by_role("button", name="Identify").click()
            page.wait_for_url("**/devices/attic#command-*")
            while page.locator(".fate").text_content() != "done":
                page.reload()
            expect(page.locator(".sent-result")).to_have_text("identify done")

        return self.look(act, "/devices/attic", errors=True)

    def test_adding_a_device(self) -> Deferred[None]:
        """The line is there to copy, with another address on request; withdrawing it makes it worthless."""

        def act(page: Page) -> None:
            page.get_by_label("Name of the device").fill("cellar")
            page.get_by_role("button", name="Make the line").click()
            line = page.get_by_label("The line for cellar")
            expect(line).to_contain_text("curl -fsSk --pinnedpubkey")
            page.get_by_label("Name or address").fill("iot.example.org")
            page.get_by_role("button", name="Use it").click()
            expect(line).to_contain_text("https://iot.example.org:")
            page.get_by_label("Name or address").fill("not an address")
            page.get_by_role("button", name="Use it").click()
            expect(page.locator("#address-fault")).to_be_visible()
            page.get_by_role("button", name="Withdraw this token").click()
            expect(page.get_by_role("heading", name="Add device")).to_be_visible()
            expect(page.get_by_text("Waiting for")).to_have_count(0)

        return self.look(act, "/add-device")

    def test_finding_devices(self) -> Deferred[None]:
        """The list is a plain form: its address has all of its state."""

        def act(page: Page) -> None:
            page.get_by_label("Search").fill("att")
            page.get_by_label("Sort by").select_option("seen")
            page.get_by_role("button", name="Show").click()
            self.assertEqual(page.url, f"{self.house.url}/devices?q=att&sort=seen")
            expect(page.get_by_role("link", name="attic")).to_be_visible()
            page.get_by_role("link", name="Offline 0").click()
            expect(page.get_by_text("None has “att” in its name, address or agent and is offline.")).to_be_visible()
            page.get_by_role("link", name="Show all 1").click()
            expect(page.get_by_role("link", name="attic")).to_be_visible()

        return self.look(act, "/devices")

    def test_settings(self) -> Deferred[None]:
        """A device is renamed in place, revoked, and removed once its name was typed."""

        def act(page: Page) -> None:
            page.get_by_role("button", name="Rename").first.click()
            page.locator("#rename").fill("Loft!")
            page.evaluate("document.querySelector('#rename-panel form').noValidate = true")
            page.locator("#rename-panel").get_by_role("button", name="Rename").click()
            expect(page.get_by_role("alert")).to_contain_text(
                "Nothing was changed. Use small letters, digits and hyphens."
            )
            page.locator("#setting-name").fill("loft")
            page.locator("#settings").get_by_role("button", name="Rename").click()
            expect(page.get_by_role("heading", name="loft", exact=True)).to_be_visible()
            page.get_by_label("Keep loft out from now on").check()
            page.get_by_role("button", name="Revoke").click()
            expect(page.get_by_text("This device was revoked")).to_be_visible()
            expect(page.locator("#head .state")).to_have_text("offline")
            page.get_by_label("Type loft to remove it").fill("loft")
            page.get_by_role("button", name="Remove").click()
            expect(page.get_by_text("No devices yet")).to_be_visible()

        return self.look(act, "/devices/attic", errors=True)

    def test_the_phone(self) -> Deferred[None]:
        """On the phone the page More has what does not fit into the bar."""

        def act(page: Page) -> None:
            page.get_by_role("navigation", name="Places").get_by_role("link", name="More").click()
            page.get_by_role("button", name="Sign out").click()
            expect(page.get_by_text("You are signed out.")).to_be_visible()

        return self.look(act, "/", form=FORMS[2])
