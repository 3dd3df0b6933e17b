"""One's own account, other people's, and tokens: with scripts, and without."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from iotcenter.model import Role
from tests.browser.base import BrowserCase
from tests.browser.devices import make_device
from tests.browser.house import PASSWORD

TEMPERATURE = "[data-series=temperature] .number"
OTHER = "another long password"


class ProfileTests(BrowserCase):
    """How somebody sees things."""

    async def prepare(self) -> None:
        await super().prepare()
        self.device = await make_device(self.house.parts, "attic")
        self.device.connect()
        self.device.report({"temperature": 20.0})

    def choose(self, page: Page) -> None:
        """Fill in the form, and save it."""
        page.get_by_label("Clock").select_option("12")
        page.get_by_label("Units").select_option("imperial")
        page.get_by_label("Colours").select_option("dark")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved.")).to_be_visible()

    def test_without_scripts(self) -> Deferred[None]:
        """What was chosen holds on the next page: units, clock and colours."""

        def act(page: Page) -> None:
            self.choose(page)
            page.goto("/devices/attic")
            row = page.locator("dd:has(.number)").first
            expect(row).to_contain_text("68.0°F")
            self.assertRegex(page.locator("[data-seen] time").first.get_attribute("title") or "", "(am|pm)$")
            expect(page.locator("html")).to_have_css("color-scheme", "dark")

        return self.visit(act, "/profile", java_script_enabled=False)

    def test_live(self) -> Deferred[None]:
        """Scripts write in the same units, also on charts."""

        def act(page: Page) -> None:
            self.choose(page)
            page.goto("/")
            expect(page.locator("[data-live-word]")).to_have_text("Live")
            self.on_server(self.device.report, {"temperature": 25.0})
            expect(page.locator(TEMPERATURE)).to_have_text("77.0")
            page.goto("/charts?s=attic.temperature&from=now-15m")
            page.locator("#chart .u-over").hover()
            expect(page.locator(".u-legend")).to_contain_text(re.compile(r"(68\.0|72\.5|77\.0) °F"))
            expect(page.locator(".figures").first).to_contain_text("°F")

        return self.visit(act, "/profile")

    def test_signed_out_from_elsewhere(self) -> Deferred[None]:
        """A browser that is signed out from another one says so at once, and the other goes on."""

        def act(page: Page) -> None:
            secret = self.on_server(self.house.parts.sessions.create, "anna", "192.0.2.9", "Firefox/140.0 (Android)")
            assert self.cookie is not None and page.context.browser is not None
            with page.context.browser.new_context(base_url=self.house.url) as other:
                other.add_cookies([{**self.cookie, "value": secret}])  # type: ignore[typeddict-item]
                left = other.new_page()
                left.goto("/")
                expect(left.locator("[data-live-word]")).to_have_text("Live")
                page.reload()
                page.get_by_role("button", name="Sign out Firefox, Android").click()
                expect(left.locator("[data-live-word]")).to_have_text("Signed out")
                left.get_by_role("button", name="Sign in").click()
                expect(left.get_by_role("heading", name="Sign in")).to_be_visible()
            expect(page.locator("#sessions li")).to_have_count(1)

        return self.visit(act, "/profile")


class PeopleTests(BrowserCase):
    """Users, as an admin sees to them."""

    def test_a_new_one(self) -> Deferred[None]:
        """Somebody is added, given a link, sets their own password with it, and is in."""

        def act(page: Page) -> None:
            page.get_by_label("Name").fill("Bob")
            page.get_by_label("Role").select_option("operator")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Add", exact=True).click()
            page.get_by_role("button", name="Make a link").click()
            link = page.locator("#link").input_value()
            secret = link.partition("?t=")[2]
            page.context.clear_cookies()
            page.goto(f"/reset?t={secret}")
            page.get_by_label("Password").fill(OTHER)
            page.get_by_role("button", name="Set the password").click()
            page.wait_for_url(f"{self.house.url}/")
            page.goto("/users")
            expect(page.get_by_text("this needs the role admin", exact=False)).to_be_visible()

        return self.visit(act, "/users", errors=True, java_script_enabled=False)

    def test_removed(self) -> Deferred[None]:
        """Who is removed by typing the name is in the list no more, and signed out."""

        async def bob() -> None:
            await self.house.parts.users.add("bob", Role.VIEWER, PASSWORD)

        def act(page: Page) -> None:
            self.on_server(bob)
            page.goto("/users/bob")
            page.get_by_label("Type bob to remove this user").fill("bob")
            page.get_by_role("button", name="Remove", exact=True).click()
            expect(page.locator("main")).not_to_contain_text("bob")

        return self.visit(act, "/users")


class TokenTests(BrowserCase):
    """API tokens."""

    def test_their_life(self) -> Deferred[None]:
        """A token is made, shown once, works at once, and is refused once it is removed."""

        def act(page: Page) -> None:
            page.get_by_label("Name").fill("graphs")
            page.get_by_role("button", name="Make").click()
            secret = page.locator("#secret").input_value()
            expect(page.locator("#curl")).to_have_value(re.compile("^curl .*/api/v1/devices$"))
            headers = {"Authorization": f"Bearer {secret}"}
            self.assertEqual(page.request.get("/api/v1/devices", headers=headers).status, 200)
            self.assertEqual(page.request.get(f"/feed.atom?token={secret}").status, 200)
            page.goto("/tokens")
            self.assertNotIn(secret, page.content())
            page.get_by_role("button", name="Remove graphs").click()
            expect(page.get_by_text("No tokens yet")).to_be_visible()
            self.assertEqual(page.request.get("/api/v1/devices", headers=headers).status, 401)

        return self.visit(act, "/tokens", java_script_enabled=False)


class ReferenceTests(BrowserCase):
    """The reference of the API."""

    def test_finding_the_way(self) -> Deferred[None]:
        """From a group to an operation, and on to what it answers with, without scripts."""

        def act(page: Page) -> None:
            page.get_by_role("main").get_by_role("link", name="Devices", exact=True).click()
            operation = page.locator("[id='device.show']")
            operation.locator("summary").click()
            expect(operation).to_contain_text("/api/v1/devices/kitchen-pi")
            operation.get_by_role("link", name="Device", exact=True).click()
            expect(page.locator("#struct-Device")).to_be_in_viewport()

        return self.visit(act, "/api", java_script_enabled=False)


class KeyTests(BrowserCase):
    """The keyboard."""

    def test_search(self) -> Deferred[None]:
        """The key / leads to the search, from every page."""

        def act(page: Page) -> None:
            expect(page.locator("[data-live-word]")).to_have_text("Live")
            page.keyboard.press("/")
            page.wait_for_url("**/devices#q")

        return self.visit(act, "/settings")
