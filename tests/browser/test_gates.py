"""What every page has to pass, on the phone and on the desktop, in light and in dark."""

from __future__ import annotations

import gzip
import re
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from iotcenter.model import Argument, ArgumentType, CommandOffer, LogLevel, Series
from tests.browser.base import BrowserCase
from tests.browser.browser import FORMS, Form, accessibility, sideways
from tests.browser.devices import MadeUpDevice, make_device
from tests.browser.population import command, photograph, populate

PAGES = (
    "/",
    "/devices",
    "/devices?q=nowhere",
    "/devices?c=values&c=seen&c=address&c=agent&c=transport&c=received&c=lost",
    "/devices/kitchen-pi",
    "/devices/cellar",
    "/devices/garage",
    "/devices/shed",
    "/devices/kitchen-pi/commands/everything",
    "/add-device?first=yes",
    "/charts",
    "/charts?s=kitchen-pi.cpu_temperature&s=attic.humidity&device=kitchen-pi",
    "/charts?s=attic.humidity&from=yesterday",
    "/devices/kitchen-pi/ssh",
    "/devices/attic/ssh",
    "/profile",
    "/users",
    "/users/anna",
    "/tokens",
    "/api",
    "/settings",
    "/settings?device=attic",
    "/ssh-keys",
    "/display",
    "/display?choose=yes&s=attic.temperature&s=nowhere.x&device=attic",
    "/display?s=attic.temperature&s=attic.humidity&s=kitchen-pi.uptime&s=nowhere.x",
    "/events",
    "/events?from=yesterday",
    "/logs",
    "/logs?level=error&device=cellar",
    "/photos",
    "/photos?device=attic&all=yes",
    "/photos?device=cellar",
    "/devices/kitchen-pi/files/1",
    "/devices/kitchen-pi/files/13",
    "/more",
    "/about",
)

MISSING = "/devices/kitchenpi"

MAX_PAGE = 100_000
"""Bytes of a page in gzip, with all that it loads."""

LOADED = "performance.getEntriesByType('resource').map(one => one.name).filter(name => name.includes('/static/'))"
"""The addresses of the files that a page has loaded."""

HOSTILE = """</script><img src=x onerror="window.attacked=1"><b>"'&{{7*7}}\u202e"""


class GateTests(BrowserCase):
    """Accessibility, errors in the console, violations of the policy, and scrolling sideways."""

    timeout = 600
    """Seconds: axe looks at some fifty pages, each a second's work of a small machine that does nothing else."""

    async def prepare(self) -> None:
        await super().prepare()
        devices = await populate(self.house.parts, ("attic", "cellar", "garage", "workshop"))
        await command(self.house.parts, devices)
        await photograph(devices)
        await self.house.parts.enrollments.issue("porch", 600, "anna", ("192.168.1.2", 9998))

    def check(self, page: Page, what: str) -> None:
        """Whether the page is as it must be."""
        page.wait_for_load_state("load")
        if page.locator("[data-live]").count():
            expect(page.locator("[data-live-word]")).to_have_text("Live")
        self.assertEqual(accessibility(page), [], what)
        self.assertLessEqual(sideways(page), 0, what)

    def gate(self, form: Form) -> Deferred[None]:
        """All pages in one form."""

        def act(page: Page) -> None:
            for path in PAGES:
                page.goto(path)
                self.check(page, path)
            page.goto("/devices/kitchen-pi")
            expect(page.get_by_role("region", name="Live video")).to_be_visible()
            page.locator("[data-opens=dialog-everything]").click()
            self.check(page, "a dialog")
            page.goto("/add-device?name=balcony")
            page.get_by_role("button", name="Make the line").click()
            page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
            self.check(page, "the line")
            for action, name in (("/add-udp-device", "chip"), ("/add-registrar-device", "camera")):
                page.goto("/add-device")
                form = page.locator(f"form[action='{action}']")
                form.get_by_role("textbox").fill(name)
                form.get_by_role("button").click()
                expect(page).to_have_title(re.compile(name))
                page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
                self.check(page, action)

        return self.visit(act, form=form)

    def test_desktop_in_light(self) -> Deferred[None]:
        """On the desktop, in light."""
        return self.gate(FORMS[0])

    def test_desktop_in_dark(self) -> Deferred[None]:
        """On the desktop, in dark."""
        return self.gate(FORMS[1])

    def test_phone_in_light(self) -> Deferred[None]:
        """On the phone, in light."""
        return self.gate(FORMS[2])

    def test_phone_in_dark(self) -> Deferred[None]:
        """On the phone, in dark."""
        return self.gate(FORMS[3])

    def test_pages_of_strangers(self) -> Deferred[None]:
        """Those for people who are not signed in, and those that tell of trouble, pass as well."""

        def act(page: Page) -> None:
            page.goto(MISSING)
            expect(page.get_by_role("link", name="kitchen-pi")).to_be_visible()
            self.check(page, MISSING)
            page.goto("/users/anna")
            page.get_by_role("button", name="Make a link").click()
            reset = urlsplit(page.locator("#link").input_value())
            page.context.clear_cookies()
            strange = ("/sign-in", "/setup?t=used", "/reset?t=used", "/display?s=attic.temperature")
            for path in (*strange, f"{reset.path}?{reset.query}"):
                page.goto(path)
                self.check(page, path)

        return self.visit(act, errors=True)

    def test_in_german(self) -> Deferred[None]:
        """In a language with longer words everything fits as well, on the phone."""

        def act(page: Page) -> None:
            for path in PAGES:
                page.goto(path)
                expect(page.locator("html")).to_have_attribute("lang", "de")
                self.assertLessEqual(sideways(page), 0, path)

        return self.visit(act, form=FORMS[2], locale="de-DE")

    def test_weight(self) -> Deferred[None]:
        """No page, with all that it loads, is over 100 kB in gzip."""

        def act(page: Page) -> None:
            for path in PAGES:
                answer = page.goto(path, wait_until="load")
                assert answer is not None
                loaded = page.evaluate(LOADED)
                self.assertTrue(any(name.endswith("style.css") for name in loaded), loaded)
                size = len(gzip.compress(answer.body())) + sum(self.size_of(name) for name in loaded)
                self.assertLess(size, MAX_PAGE, path)

        return self.visit(act, "/more")

    def size_of(self, url: str) -> int:
        """How many bytes of a static file are sent."""
        asset = self.house.parts.assets.files[url.partition(f"/static/{self.house.parts.build}/")[2]]
        return len(asset.packed or asset.content)


class HostileTests(BrowserCase):
    """A device that was taken over by somebody with bad intentions."""

    async def test_markup_is_text(self) -> None:
        """Whatever a device says of itself is shown as text, by the server and by scripts alike, and runs nowhere."""

        def act(page: Page) -> None:
            for path in ("/", "/devices", "/devices/attic"):
                page.goto(path)
                expect(page.locator("[data-live-word]")).to_have_text("Live")
                self.on_server(device.report, {"door": f"{HOSTILE} 2"})
                expect(page.locator("[data-series=door] .number")).to_have_text(re.compile(r"</script>.* 2$"))
            self.on_server(device.log, LogLevel.ERROR, f"{HOSTILE} 3")
            expect(page.locator(".log-text").last).to_have_text(f"{HOSTILE} 3")
            page.get_by_role("button", name="</script>").click()
            dialog = page.get_by_role("dialog")
            expect(dialog).to_contain_text("</script>")
            dialog.locator("[type=submit]").click()
            expect(page.locator(".sent-result")).to_have_text(HOSTILE)
            self.assertIsNone(page.evaluate("window.attacked ?? null"))

        device = await self._hostile()
        await self.visit(act)

    async def test_on_every_page(self) -> None:
        """No page runs any of it, nor is it moved out of its place by it."""

        def act(page: Page) -> None:
            for path in (*PAGES, "/devices/attic", "/charts?s=attic.door&device=attic", "/settings?device=attic"):
                answer = page.goto(path)
                assert answer is not None
                self.assertLess(answer.status, 500, path)
                self.assertIsNone(page.evaluate("window.attacked ?? null"), path)
                self.assertEqual(page.locator("img[src=x]").count(), 0, path)
                self.assertLessEqual(sideways(page), 0, path)

        await self._hostile()
        await self.house.parts.sessions.create("anna", HOSTILE, HOSTILE)
        await self.visit(act, errors=True)

    async def _hostile(self) -> MadeUpDevice:
        """That device."""
        device = await make_device(self.house.parts, "attic")
        choices = Argument("x", ArgumentType.CHOICE, HOSTILE[:64], HOSTILE, choices=(HOSTILE,), default=HOSTILE)
        offer = CommandOffer("x", HOSTILE[:64], HOSTILE, (choices,))
        device.connect((Series("door", HOSTILE[:64], HOSTILE[:16]),), (offer,), agent=HOSTILE, app_detail=HOSTILE)
        device.answer = lambda name, args: HOSTILE
        device.report({"door": HOSTILE})
        device.log(LogLevel.INFO, HOSTILE)
        return device
