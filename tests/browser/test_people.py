"""Setting up, signing in and out."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from iotcenter.model import Role
from tests.browser.base import BrowserCase
from tests.browser.devices import make_device
from tests.browser.house import PASSWORD


def sign_in(page: Page, password: str = PASSWORD) -> None:
    """Fill in the form, and send it."""
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


class SetupTests(BrowserCase):
    """A server without users."""

    async def prepare(self) -> None:
        self.cookie = None
        self.secret = await self.house.parts.setup_link.issue()

    def test_without_the_link(self) -> Deferred[None]:
        """Every page leads to how one gets a link."""

        def act(page: Page) -> None:
            expect(page.get_by_role("heading", name="This server has no users yet")).to_be_visible()
            expect(page.get_by_text("iotcenter setup-link")).to_be_visible()

        return self.visit(act, "/devices")

    def test_with_the_link(self) -> Deferred[None]:
        """The link makes the admin in the browser's time zone, signs them in, and works once."""

        def act(page: Page) -> None:
            expect(page.get_by_label("Time zone")).to_have_value("Asia/Tokyo")
            page.get_by_label("Name").fill("Anna")
            page.get_by_label("Password").fill("short")
            page.get_by_role("button", name="Show").click()
            expect(page.get_by_label("Password")).to_have_attribute("type", "text")
            page.evaluate("document.querySelector('form').noValidate = true")
            page.get_by_role("button", name="Create the account").click()
            expect(page.locator("#password-fault")).to_contain_text("10 to 1024 characters")
            expect(page.get_by_label("Time zone")).to_have_value("Asia/Tokyo")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Create the account").click()
            expect(page.get_by_text("Welcome, anna.")).to_be_visible()
            expect(page.get_by_text("This server knows no device yet")).to_be_visible()
            page.goto(f"/setup?t={self.secret}")
            expect(page.get_by_text("This server has been set up already")).to_be_visible()

        return self.visit(act, f"/setup?t={self.secret}", errors=True, timezone_id="Asia/Tokyo")

    async def test_the_servers_own_machine(self) -> None:
        """Where the server's own machine is here already, the page after setting up says so."""

        def act(page: Page) -> None:
            page.get_by_label("Name").fill("anna")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Create the account").click()
            expect(page.get_by_text("own machine is here already: this-pi.")).to_be_visible()

        (await make_device(self.house.parts, "this-pi")).connect()
        await self.visit(act, f"/setup?t={self.secret}")

    def test_a_link_that_does_not_count(self) -> Deferred[None]:
        """A link that was replaced says how to get another."""

        def act(page: Page) -> None:
            expect(page.get_by_role("heading", name="This link no longer works")).to_be_visible()
            expect(page.get_by_text("iotcenter setup-link")).to_be_visible()

        return self.visit(act, "/setup?t=something", errors=True)


class SignInTests(BrowserCase):
    """A server with users."""

    async def prepare(self) -> None:
        await self.house.user("anna", Role.VIEWER)

    def test_back_to_where_one_was(self) -> Deferred[None]:
        """After signing in one is on the page that was asked for, with its query; and signing out is a click."""

        def act(page: Page) -> None:
            sign_in(page)
            page.wait_for_url("**/devices?state=late")
            page.get_by_role("button", name="anna").click()
            page.get_by_role("button", name="Sign out").click()
            expect(page.get_by_text("You are signed out.")).to_be_visible()
            page.goto("/")
            page.wait_for_url("**/sign-in")

        return self.visit(act, "/devices?state=late")

    def test_a_wrong_password(self) -> Deferred[None]:
        """A wrong password is said at its field, and the name stays; too many have to wait."""

        def act(page: Page) -> None:
            sign_in(page, "something else")
            expect(page.locator("#password-fault")).to_have_text("The name or the password is wrong.")
            expect(page.get_by_label("Name")).to_have_value("anna")
            for _ in range(10):
                sign_in(page, "something else")
                page.wait_for_load_state()
            expect(page.get_by_role("alert")).to_contain_text("Too many tries: try again in")

        return self.visit(act, "/sign-in", errors=True)

    def test_no_way_elsewhere(self) -> Deferred[None]:
        """The sign-in page leads nowhere but to this server."""

        def act(page: Page) -> None:
            sign_in(page)
            expect(page.get_by_role("link", name="Devices")).to_be_visible()
            self.assertEqual(page.url, f"{self.house.url}/")

        return self.visit(act, "/sign-in?next=//example.org/")
