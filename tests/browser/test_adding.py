"""The page with the line to paste."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from tests.browser.base import BrowserCase
from tests.browser.devices import MadeUpDevice, make_device

NO_CLIPBOARD = "Object.defineProperty(Navigator.prototype, 'clipboard', {value: undefined})"
"""As on plain HTTP from another machine."""

SELECTED = "() => { const field = document.activeElement; return field.selectionEnd - field.selectionStart; }"


class AddingTests(BrowserCase):
    """Copying the line, and waiting for the device."""

    def make_line(self, page: Page) -> str:
        """Ask for a line for the balcony."""
        page.get_by_label("Name of the device").fill("balcony")
        page.get_by_role("button", name="Make the line").click()
        return page.get_by_label("The line for balcony").input_value()

    def test_copying(self) -> Deferred[None]:
        """One click has the whole line in the clipboard."""

        def act(page: Page) -> None:
            page.context.grant_permissions(["clipboard-read", "clipboard-write"])
            line = self.make_line(page)
            page.get_by_role("button", name="Copy").first.click()
            expect(page.get_by_role("button", name="Copied")).to_be_visible()
            self.assertEqual(page.evaluate("navigator.clipboard.readText()"), line)

        return self.visit(act, "/add-device")

    def test_copying_on_plain_http(self) -> Deferred[None]:
        """Without a clipboard the line is copied the old way; where that fails too, it stands selected."""

        def act(page: Page) -> None:
            page.add_init_script(NO_CLIPBOARD)
            line = self.make_line(page)
            page.get_by_role("button", name="Copy").first.click()
            expect(page.get_by_role("button", name=re.compile("Copied"))).to_be_visible()
            page.evaluate("document.execCommand = () => false")
            page.get_by_role("button", name="Copied").click()
            expect(page.get_by_role("button", name="Press Ctrl+C")).to_be_visible()
            self.assertEqual(page.evaluate(SELECTED), len(line))

        return self.visit(act, "/add-device")

    def test_a_sketch(self) -> Deferred[None]:
        """The id and the key of a microcontroller can be saved as a sketch, with the server's address in it."""

        def act(page: Page) -> None:
            page.get_by_label("Name of the microcontroller").fill("shed")
            page.get_by_role("button", name="Make id and key").click()
            arrays = page.get_by_role("textbox", name="For Arduino and C").input_value()
            with page.expect_download() as found:
                page.get_by_role("button", name="Download the sketch").click()
            self.assertEqual(found.value.suggested_filename, "shed.ino")
            saved = found.value.path().read_text()
            self.assertIn(arrays, saved)
            self.assertIn('const char SERVER[] = "127.0.0.1";', saved)

        return self.visit(act, "/add-device")

    def test_the_countdown(self) -> Deferred[None]:
        """The page counts down to the token's end."""

        def act(page: Page) -> None:
            self.make_line(page)
            countdown = page.locator("[data-countdown]")
            expect(countdown).to_have_text(re.compile(r"in (30:00|29:5\d)"))
            before = countdown.text_content()
            expect(countdown).not_to_have_text(before or "")

        return self.visit(act, "/add-device")

    def test_a_known_device(self) -> Deferred[None]:
        """A token for a known device warns of what it does, and the page waits for the new key."""

        async def run() -> None:
            device: MadeUpDevice = await make_device(self.house.parts, "balcony")
            device.connect()
            await self.visit(act, "/add-device")

        def act(page: Page) -> None:
            self.make_line(page)
            expect(page.get_by_text("balcony is known already.")).to_be_visible()
            expect(page.get_by_text("Waiting for the device")).to_be_visible()

        return Deferred.fromCoroutine(run())
