"""Pages that change by themselves."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from iotcenter.model import AppState, LogLevel, Reading
from iotcenter.web import streams
from tests.browser.base import BrowserCase
from tests.browser.devices import SERIES, MadeUpDevice, make_device

TEMPERATURE = "[data-series=temperature] .number"

READER = "navigator.locks.query().then(({ held }) => held[0].clientId)"
"""Which tab reads the stream."""

SIGN_OF_LIFE = """navigator.locks.query().then(({ held }) => new Promise((heard) => {
    new BroadcastChannel(held[0].name).onmessage = ({ data }) => data.alive && heard();
}))"""
"""Done when the tab that reads has shown that it is alive."""


class LiveTests(BrowserCase):
    """Values, states and cards."""

    async def prepare(self) -> None:
        await super().prepare()
        self.device: MadeUpDevice = await make_device(self.house.parts, "attic")
        self.device.connect()
        self.device.report({"temperature": 21.0})

    def test_values(self) -> Deferred[None]:
        """A value that arrives is shown without reloading, and says when it was measured."""

        def act(page: Page) -> None:
            expect(page.locator(TEMPERATURE)).to_have_text("21.0")
            expect(page.locator("[data-live-word]")).to_have_text("Live")
            self.on_server(self.device.report, {"temperature": 22.55})
            expect(page.locator(TEMPERATURE)).to_have_text("22.6")
            expect(page.locator("[data-series=temperature]")).to_have_attribute("title", re.compile("20..,"))

        return self.visit(act)

    def test_states(self) -> Deferred[None]:
        """A device that goes is offline at once: in word, in the count, and its values are old."""

        def act(page: Page) -> None:
            expect(page.locator("[data-count=online]")).to_have_text("1")
            self.on_server(self.device.disconnect)
            expect(page.locator("[data-presence=attic]")).to_have_text("offline")
            expect(page.locator("[data-count=offline]")).to_have_text("1")
            expect(page.locator("[data-series=temperature]")).to_have_class("value stale")

        return self.visit(act)

    def test_new_devices(self) -> Deferred[None]:
        """A device that is new has a card as soon as it comes, and none once it was removed; others stay."""

        def act(page: Page) -> None:
            page.locator("[data-key=attic]").evaluate("card => { card.marked = true }")
            cellar = self.on_server(make_device, self.house.parts, "cellar")
            expect(page.locator("[data-presence=cellar]")).to_have_text("never connected")
            self.on_server(cellar.connect)
            expect(page.locator("[data-presence=cellar]")).to_have_text("online")
            self.on_server(cellar.report, {"humidity": 57})
            expect(page.locator("[data-key=cellar] [data-series=humidity] .number")).to_have_text("57")
            self.assertTrue(page.locator("[data-key=attic]").evaluate("card => card.marked"))
            self.on_server(self.house.parts.center.devices.remove, "cellar", "anna")
            expect(page.locator("[data-key=cellar]")).to_have_count(0)

        return self.visit(act, errors=True)  # its sparklines may be on their way when it is removed

    async def test_the_first_device(self) -> None:
        """The empty dashboard leads to adding a device, and becomes cards when it is here."""

        def act(page: Page) -> None:
            expect(page.get_by_text("No devices yet")).to_be_visible()
            expect(page.locator("#cards").get_by_role("link", name="Add device")).to_be_visible()
            first = self.on_server(make_device, self.house.parts, "first")
            self.on_server(first.connect)
            expect(page.get_by_role("link", name="first")).to_be_visible()

        await self.house.parts.center.devices.remove("attic", "anna")
        await self.visit(act)

    def test_sparklines(self) -> Deferred[None]:
        """Sparklines are drawn for a device that has reported for a few seconds only, and grow."""

        def act(page: Page) -> None:
            line = page.locator("[data-series=temperature] .spark-line")
            then = self.reactor.seconds() - 60
            past = [Reading("temperature", 20.0 + step, then + 10 * step) for step in range(3)]
            self.on_server(self.device.remember, past)
            page.reload()
            expect(line).to_have_count(1)
            before = line.get_attribute("d")
            self.on_server(self.device.report, {"temperature": 30.0})
            expect(line).not_to_have_attribute("d", before or "")

        return self.visit(act)

    def test_pause(self) -> Deferred[None]:
        """Live updates can be paused; going on catches up."""

        def act(page: Page) -> None:
            page.locator("[data-live]").click()
            page.get_by_role("button", name="Pause live updates").click()
            expect(page.locator("[data-live-word]")).to_have_text("Paused")
            self.on_server(self.device.report, {"temperature": 30.0})
            page.wait_for_timeout(1500)
            expect(page.locator(TEMPERATURE)).to_have_text("21.0")
            page.get_by_role("button", name="Go on").click()
            expect(page.locator(TEMPERATURE)).to_have_text("30.0")

        return self.visit(act)

    def test_a_broken_app(self) -> Deferred[None]:
        """The device's page says when its app fails, and when it is well again."""

        def act(page: Page) -> None:
            notice = page.get_by_text("Its app failed.")
            self.on_server(self.device.connect, app=AppState.FAILED, app_detail="RuntimeError: no bus")
            expect(notice).to_be_visible()
            expect(page.get_by_text("RuntimeError: no bus")).to_be_visible()
            self.on_server(self.device.connect)
            expect(notice).to_have_count(0)

        return self.visit(act, "/devices/attic")

    def test_another_offer(self) -> Deferred[None]:
        """Series and commands that an app adds appear on its page."""

        def act(page: Page) -> None:
            expect(page.get_by_role("button", name="Identify")).to_be_visible()
            self.on_server(self.device.connect, SERIES[:1], ())
            expect(page.get_by_text("Its app declares none.")).to_be_visible()
            expect(page.locator("#values [data-series]")).to_have_count(1)

        return self.visit(act, "/devices/attic")

    def test_renaming_elsewhere(self) -> Deferred[None]:
        """A page whose device is renamed by somebody else goes along."""

        def act(page: Page) -> None:
            expect(page.locator("[data-live-word]")).to_have_text("Live")
            self.on_server(self.house.parts.center.devices.rename, "attic", "loft", "ben")
            page.wait_for_url("**/devices/loft")

        return self.visit(act, "/devices/attic", errors=True)

    def test_logs(self) -> Deferred[None]:
        """New lines of the log appear at its foot; level and text filter them as one types."""

        def act(page: Page) -> None:
            lines = page.locator(".log-line:visible")
            expect(page.locator("[data-live-word]")).to_have_text("Live")
            self.on_server(self.device.log, LogLevel.INFO, "interval is 5 s")
            self.on_server(self.device.log, LogLevel.ERROR, "the <b>bus</b> is gone")
            expect(lines).to_have_count(2)
            expect(lines.last).to_contain_text("the <b>bus</b> is gone")
            page.get_by_label("From level").select_option("error")
            expect(lines).to_have_count(1)
            page.get_by_label("Text", exact=True).fill("interval")
            expect(page.get_by_text("No line matches")).to_have_count(0)
            expect(lines).to_have_count(0)
            page.get_by_label("From level").select_option("debug")
            expect(lines).to_have_count(1)

        return self.visit(act, "/devices/attic")


class StreamTests(BrowserCase):
    """The one stream behind all pages of a browser."""

    async def prepare(self) -> None:
        await super().prepare()
        self.device = await make_device(self.house.parts, "attic")
        self.device.connect()
        self.device.report({"temperature": 21.0})

    def test_many_tabs(self) -> Deferred[None]:
        """Nine tabs are live at once over one stream; when the one that reads it closes, another takes over."""

        def act(page: Page) -> None:
            tabs = [page.context.new_page() for _ in range(8)]
            for tab in tabs:
                tab.goto("/")
                expect(tab.locator("[data-live-word]")).to_have_text("Live")
            self.assertEqual(len(self.house.parts.streams), 1)
            page.close()
            expect(tabs[0].locator("[data-live-word]")).to_have_text("Live")
            self.on_server(self.device.report, {"temperature": 25.0})
            for tab in tabs:
                expect(tab.locator(TEMPERATURE)).to_have_text("25.0")
            self.assertEqual(len(self.house.parts.streams), 1)

        return self.visit(act)

    def test_quiet(self) -> Deferred[None]:
        """While nothing happens, the tab that reads shows the others that it is alive: they do not take its place."""
        self.patch(streams, "KEEP_ALIVE_EVERY", 0.1)

        def act(page: Page) -> None:
            expect(page.locator("[data-live-word]")).to_have_text("Live")
            other = page.context.new_page()
            other.clock.install()
            other.goto("/")
            expect(other.locator("[data-live-word]")).to_have_text("Live")
            reader = other.evaluate(READER)
            for _ in range(3):
                other.evaluate(SIGN_OF_LIFE)
                other.clock.fast_forward(19_000)
            self.assertEqual(other.evaluate(READER), reader)

        return self.visit(act)

    def test_without_locks(self) -> Deferred[None]:
        """Plain HTTP on a LAN has no locks: there each tab reads for itself."""

        def act(page: Page) -> None:
            page.add_init_script("Object.defineProperty(Navigator.prototype, 'locks', {value: undefined})")
            page.reload()
            expect(page.locator("[data-live-word]")).to_have_text("Live")
            self.on_server(self.device.report, {"temperature": 25.0})
            expect(page.locator(TEMPERATURE)).to_have_text("25.0")

        return self.visit(act)

    def test_a_break(self) -> Deferred[None]:
        """After a break the page comes back by itself, with what it missed."""

        def act(page: Page) -> None:
            word = page.locator("[data-live-word]")
            expect(word).to_have_text("Live")
            page.context.set_offline(True)
            self.on_server(self.house.parts.streams.stop)
            expect(word).to_have_text("Reconnecting")
            self.on_server(self.device.report, {"temperature": 25.0})
            page.context.set_offline(False)
            expect(word).to_have_text("Live")
            expect(page.locator(TEMPERATURE)).to_have_text("25.0")

        return self.visit(act, errors=True)

    def test_asleep(self) -> Deferred[None]:
        """A tab that slept has the newest values when it wakes, though its stream was ended meanwhile."""

        def act(page: Page) -> None:
            word = page.locator("[data-live-word]")
            expect(word).to_have_text("Live")
            chrome = page.context.new_cdp_session(page)
            chrome.send("Page.setWebLifecycleState", {"state": "frozen"})
            self.on_server(self.house.parts.streams.stop)
            self.on_server(self.device.report, {"temperature": 26.0})
            chrome.send("Page.setWebLifecycleState", {"state": "active"})
            expect(page.locator(TEMPERATURE)).to_have_text("26.0")
            expect(word).to_have_text("Live")

        return self.visit(act, errors=True)

    def test_signed_out_elsewhere(self) -> Deferred[None]:
        """A page whose session ended says so, and leads back."""

        def act(page: Page) -> None:
            expect(page.locator("[data-live-word]")).to_have_text("Live")
            self.on_server(self.house.parts.users.set_password, "anna", "another long password")
            self.on_server(self.house.parts.streams.end_user, "anna")
            expect(page.locator("[data-live-word]")).to_have_text("Signed out")
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("**/sign-in?next=%2F")

        return self.visit(act, errors=True)

    def test_a_new_build(self) -> Deferred[None]:
        """A page of an older build offers to reload."""

        def act(page: Page) -> None:
            page.evaluate("document.documentElement.dataset.build = 'older'")
            self.on_server(setattr, self.house.parts.streams, "_build", "newer")
            self.on_server(self.house.parts.streams.stop)
            expect(page.get_by_text("The server was updated.")).to_be_visible()
            expect(page.get_by_role("button", name="Reload")).to_be_visible()

        return self.visit(act, errors=True)
