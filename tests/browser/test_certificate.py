"""The server's certificate changes while pages are open."""

from __future__ import annotations

from cryptography import x509
from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from iotcenter.identity.web_certificate import OwnCertificate
from iotcenter.web.doors import Door
from tests.browser.base import BrowserCase
from tests.browser.devices import MadeUpDevice, make_device

TEMPERATURE = "[data-series=temperature] .number"
WORD = "[data-live-word]"
WARNING = "Privacy error"

OFFLINE = 30_000
"""Milliseconds after which a page says that the server is gone."""

RETRY = 15_000
"""Milliseconds within which it tries again."""


class CertificateTests(BrowserCase):
    """Over HTTPS, with the machine's own certificate, as most people have it."""

    door = Door.HTTPS

    async def prepare(self) -> None:
        await super().prepare()
        self.device: MadeUpDevice = await make_device(self.house.parts, "attic")
        self.device.connect()
        self.device.report({"temperature": 21.0})

    def test_trusted(self) -> Deferred[None]:
        """Where the browser trusts the new certificate as it did the old, open pages go on, also after a break."""

        def act(page: Page) -> None:
            expect(page.locator(WORD)).to_have_text("Live")
            self.on_server(self.renew)
            self.see_live(page, 22.0)
            with page.expect_response("**/api/v1/events"):
                self.on_server(self.house.cut)
            self.see_live(page, 23.0)

        return self.visit(act, errors=True, ignore_https_errors=True)

    def test_allowed_by_hand(self) -> Deferred[None]:
        """Where somebody told the browser to go on, open pages go on too; after a break they say what to do about the
        new certificate, and come back by themselves once it is done."""

        def act(page: Page) -> None:
            self.allow(page)
            page.clock.install()
            page.goto("/")
            expect(page.locator(WORD)).to_have_text("Live")
            page.evaluate("window.same = true")
            self.on_server(self.renew)
            self.see_live(page, 22.0)
            with page.expect_event("requestfailed", lambda request: "CERT" in (request.failure or "")):
                self.on_server(self.house.cut)
                expect(page.locator(WORD)).to_have_text("Reconnecting")
                page.clock.run_for(RETRY)
            page.clock.run_for(OFFLINE)
            expect(page.locator(WORD)).to_have_text("Offline")
            expect(page.locator("[data-live-notice]")).to_contain_text("new certificate")
            with page.context.expect_page() as opened:
                page.get_by_role("button", name="Open a tab").click()
            self.allow(opened.value)
            page.clock.run_for(RETRY)
            self.see_live(page, 23.0)
            expect(page.locator("[data-live-notice]")).to_be_hidden()
            self.assertTrue(page.evaluate("window.same"))

        return self.visit(act, "about:blank", errors=True)

    def allow(self, page: Page) -> None:
        """Tell the browser to go on in spite of its warning."""
        if page.url == "about:blank":
            page.evaluate("path => { location.assign(path) }", self.house.url)
        expect(page).to_have_title(WARNING)
        page.locator("#details-button").click()
        page.locator("#proceed-link").click()
        expect(page).to_have_title("Dashboard · IotCenter")

    def see_live(self, page: Page, value: float) -> None:
        """A value arrives."""
        expect(page.locator(WORD)).to_have_text("Live")
        self.on_server(self.device.report, {"temperature": value})
        expect(page.locator(TEMPERATURE)).to_have_text(f"{value:.1f}")

    def renew(self) -> None:
        """The machine has another name, and so its certificate is another."""
        source = self.house.parts.web_certificate._source
        assert isinstance(source, OwnCertificate)
        before = source.credentials()
        source._wanted |= {x509.DNSName("other.example")}
        self.assertIsNot(source.credentials(), before)
