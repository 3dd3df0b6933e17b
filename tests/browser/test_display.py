"""The wall display."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from iotcenter.model import Role
from tests.browser.base import BrowserCase
from tests.browser.devices import MadeUpDevice, make_device

DISPLAY = "/display?s=attic.temperature&s=attic.humidity"
NUMBER = "[data-series=temperature] .number"

KEEP_LOCKS = """
window.locks = [];
const request = navigator.wakeLock.request.bind(navigator.wakeLock);
navigator.wakeLock.request = async (kind) => { const lock = await request(kind); locks.push(lock); return lock; };
"""
"""Remembers each lock that the browser gives a page, by which it keeps the screen on."""

LOCKS = """async count => {
    while (locks.length < count) await new Promise(requestAnimationFrame);
    return locks.map((lock) => [lock.type, lock.released]);
}"""
"""Waits until there are so many; what each keeps, and whether it does no more."""

HIDE = """hidden => {
    if (hidden) locks.forEach((lock) => lock.release());
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""
"""What a browser does when another tab is looked at, and back: without a screen it takes every tab for visible."""


class DisplayTests(BrowserCase):
    """A screen on a wall."""

    async def prepare(self) -> None:
        await super().prepare()
        self.device: MadeUpDevice = await make_device(self.house.parts, "attic")
        self.device.connect()
        self.device.report({"temperature": 16.0})

    def test_values(self) -> Deferred[None]:
        """A temperature has its age and a colour, and both change with what arrives; what never came says so."""

        def act(page: Page) -> None:
            tile = page.locator("[data-series=temperature]")
            expect(tile).to_have_attribute("data-warmth", "cool")
            expect(page.locator("[data-series=humidity]")).to_contain_text("no value yet")
            self.on_server(self.device.report, {"temperature": 31.0, "humidity": 40.0})
            expect(page.locator(NUMBER)).to_have_text("31.0")
            expect(tile).to_have_attribute("data-warmth", "hot")
            expect(page.locator("[data-series=humidity] time")).to_have_text("now")
            expect(page.locator("nav")).to_have_count(0)

        return self.visit(act, DISPLAY)

    def test_a_night_without_the_server(self) -> Deferred[None]:
        """While the server is gone the values are marked as old; when it is back they go on, though nobody clicks."""

        def act(page: Page) -> None:
            page.clock.install()
            page.goto(DISPLAY)
            expect(page.locator(NUMBER)).to_have_text("16.0")
            page.evaluate("window.same = true")
            page.context.set_offline(True)
            with page.expect_event("requestfailed"):
                self.on_server(self.house.parts.streams.stop)
            page.clock.run_for(30_000)
            expect(page.locator("html")).to_have_attribute("data-broken", "")
            expect(page.locator("[data-display-state]")).to_contain_text("does not answer")
            self.on_server(self.device.report, {"temperature": -2.0})
            page.context.set_offline(False)
            page.clock.run_for(15_000)
            expect(page.locator(NUMBER)).to_have_text("\N{MINUS SIGN}2.0")
            expect(page.locator("html")).not_to_have_attribute("data-broken", "")
            expect(page.locator("[data-display-state]")).to_have_text("")
            self.assertTrue(page.evaluate("window.same"))

        return self.visit(act, errors=True)

    def test_awake(self) -> Deferred[None]:
        """It keeps the screen on, again after something else was looked at, and does not ask meanwhile."""

        def act(page: Page) -> None:
            page.add_init_script(KEEP_LOCKS)
            page.goto(DISPLAY)
            self.assertEqual(page.evaluate(LOCKS, 1), [["screen", False]])
            page.evaluate(HIDE, True)
            page.evaluate(HIDE, False)
            self.assertEqual(page.evaluate(LOCKS, 2), [["screen", True], ["screen", False]])

        return self.visit(act)

    def test_unknown(self) -> Deferred[None]:
        """A device or a value that there is not is said to be missing, beside those that are there."""

        def act(page: Page) -> None:
            expect(page.get_by_text("There is no device called cellar.")).to_be_visible()
            expect(page.get_by_text("attic has no value called wind.")).to_be_visible()
            expect(page.locator(NUMBER)).to_have_text("16.0")

        return self.visit(act, "/display?s=attic.temperature&s=cellar.x&s=attic.wind")

    def test_choosing(self) -> Deferred[None]:
        """Without series in the address they are chosen, also without scripts, and lead to the display."""

        def act(page: Page) -> None:
            page.get_by_label("Values of").select_option("attic")
            page.get_by_role("button", name="Choose").click()
            page.get_by_role("link", name="Temperature").click()
            page.get_by_role("link", name="Show the display").click()
            expect(page.locator(NUMBER)).to_have_text("16.0")

        return self.visit(act, "/display", java_script_enabled=False)

    async def test_a_screen_that_nobody_signs_in_on(self) -> None:
        """A viewer's token behind the # lets a screen in for good; it leaves the address, and may only look."""

        def act(page: Page) -> None:
            page.context.clear_cookies()
            page.goto(f"{DISPLAY}#token={secret}")
            expect(page.locator(NUMBER)).to_have_text("16.0")
            self.assertNotIn(secret, page.url)
            self.on_server(self.device.report, {"temperature": 20.0})
            expect(page.locator(NUMBER)).to_have_text("20.0")
            page.goto("/add-device")
            expect(page.get_by_role("heading")).to_have_text("Not allowed")
            sent = page.request.post("/sign-out", form={})
            self.assertEqual(sent.url.partition("?")[0], f"{self.house.url}/sign-in")
            page.goto(DISPLAY)
            expect(page.locator(NUMBER)).to_have_text("20.0")
            self.on_server(self.house.parts.tokens.remove, "wall")
            page.goto(DISPLAY)
            expect(page.get_by_role("heading")).to_have_text("This screen is not let in yet")

        secret = await self.house.parts.tokens.create("wall", Role.VIEWER)
        await self.visit(act, errors=True)

    async def test_tokens_that_do_not_count(self) -> None:
        """A token that is wrong, or may do more than look, lets no screen in."""

        def act(page: Page) -> None:
            page.context.clear_cookies()
            for token, words in (("wrong", "not known"), (secret, "role viewer")):
                page.goto("/more")
                page.goto(f"{DISPLAY}#token={token}")
                expect(page.get_by_role("alert")).to_contain_text(re.compile(words))

        secret = await self.house.parts.tokens.create("program", Role.OPERATOR)
        await self.visit(act, errors=True)
