"""Commands, sent from the page of their device."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from iotcenter.model import Role
from tests.browser.base import BrowserCase
from tests.browser.devices import EVERYTHING, IDENTIFY, REBOOT, RELAY, SERIES, MadeUpDevice, make_device

TOP = ".sent-item:first-child"


class CommandTests(BrowserCase):
    """An operator at work."""

    role = Role.OPERATOR

    async def prepare(self) -> None:
        await super().prepare()
        self.device: MadeUpDevice = await make_device(self.house.parts, "attic")
        self.device.connect(SERIES, (REBOOT, IDENTIFY, RELAY, EVERYTHING))

    def test_done(self) -> Deferred[None]:
        """A command with an argument is sent from its dialog, and its result is shown as soon as it is there."""

        def act(page: Page) -> None:
            self.device.answer = lambda name, args: f"blinked {args['seconds']} times"
            page.get_by_role("button", name="Identify").click()
            dialog = page.get_by_role("dialog", name="Identify on attic")
            dialog.get_by_label("Seconds").fill("7")
            dialog.get_by_role("button", name="Identify").click()
            expect(dialog).to_be_hidden()
            expect(page.locator(f"{TOP} .fate")).to_have_text("done")
            expect(page.locator(f"{TOP} .sent-result")).to_have_text("blinked 7 times")
            expect(page.locator(f"{TOP} .sent-args")).to_contain_text("Seconds 7 s")
            expect(page.locator(f"{TOP} .sent-foot")).to_contain_text("anna")

        return self.visit(act, "/devices/attic")

    def test_failed(self) -> Deferred[None]:
        """A command that fails says why."""

        def act(page: Page) -> None:
            def answer(name: str, args: dict[str, Any]) -> Any:
                raise RuntimeError("the fuse <is> blown")

            self.device.answer = answer
            page.get_by_role("button", name="Identify").click()
            page.get_by_role("dialog").get_by_role("button", name="Identify").click()
            expect(page.locator(f"{TOP} .fate")).to_have_text("failed")
            expect(page.locator(f"{TOP} .sent-error")).to_have_text("The fuse <is> blown.")

        return self.visit(act, "/devices/attic")

    def test_what_does_not_fit(self) -> Deferred[None]:
        """What does not fit is said at the field and at the top; what was entered stays, and can be mended."""

        def act(page: Page) -> None:
            page.get_by_role("button", name="Switch relay").click()
            dialog = page.get_by_role("dialog", name="Switch relay on attic")
            dialog.get_by_label("pump").check()
            dialog.get_by_label("For").fill("2 days")
            dialog.get_by_role("button", name="Switch relay").click()
            expect(dialog.get_by_role("alert")).to_contain_text("Not sent. These do not fit: For.")
            expect(dialog.get_by_text("For must be a length of time")).to_be_visible()
            expect(dialog.get_by_label("pump")).to_be_checked()
            dialog.get_by_label("For").fill("2 min")
            dialog.get_by_role("button", name="Switch relay").click()
            expect(page.locator(f"{TOP} .fate")).to_have_text("done")
            self.assertEqual(self.device.got[-1].args, {"channel": "pump", "on": True, "duration": 120.0})

        return self.visit(act, "/devices/attic", errors=True)

    def test_every_argument(self) -> Deferred[None]:
        """Each kind of argument comes to the device as what it is; a secret is not kept."""

        def act(page: Page) -> None:
            page.get_by_role("button", name="Everything").click()
            dialog = page.get_by_role("dialog")
            dialog.get_by_label("Flag").uncheck()
            dialog.get_by_label("Count").fill("9")
            dialog.get_by_label("Level").fill("-1.25")
            dialog.get_by_label("Name").fill("Üle & <b>")
            dialog.get_by_label("Note").fill("two\nlines")
            dialog.get_by_label("PIN").fill("1234")
            dialog.get_by_label("comfort").check()
            dialog.get_by_label("Room").select_option("hall")
            dialog.get_by_label("Span").fill("1 h 30 min")
            dialog.get_by_label("Start").fill("2026-11-22T15:03:22")
            dialog.get_by_label("Colour").fill("#00ff00")
            dialog.get_by_role("button", name="Everything").click()
            expect(page.locator(f"{TOP} .fate")).to_have_text("done")
            expect(page.locator(TOP)).not_to_contain_text("1234")
            expect(page.locator(TOP)).to_contain_text("22 Nov 2026, 15:03:22")

        def check(_: None) -> None:
            wanted = {
                "flag": False,
                "count": 9,
                "level": -1.25,
                "name": "Üle & <b>",
                "note": "two\nlines",
                "pin": "1234",
                "mode": "comfort",
                "room": "hall",
                "span": 5400.0,
                "start": 1795356202.0,
                "colour": "#00ff00",
            }
            self.assertEqual(self.device.got[-1].args, wanted)

        return self.visit(act, "/devices/attic").addCallback(check)

    def test_dangerous(self) -> Deferred[None]:
        """A dangerous command comes last, is red, and has the focus on Cancel; Escape closes it without sending."""

        def act(page: Page) -> None:
            expect(page.locator(".offers li").last).to_have_text("Reboot")
            page.get_by_role("button", name="Reboot").click()
            dialog = page.get_by_role("dialog")
            expect(dialog.get_by_text("Cancel")).to_be_focused()
            page.keyboard.press("Escape")
            expect(dialog).to_be_hidden()
            expect(page.get_by_text("None so far.")).to_be_visible()

        return self.visit(act, "/devices/attic")

    def test_by_keyboard(self) -> Deferred[None]:
        """A command can be sent without a mouse."""

        def act(page: Page) -> None:
            page.get_by_role("button", name="Identify").focus()
            page.keyboard.press("Space")
            expect(page.get_by_role("dialog").get_by_label("Seconds")).to_be_focused()
            page.keyboard.press("Enter")
            expect(page.locator(f"{TOP} .fate")).to_have_text("done")

        return self.visit(act, "/devices/attic")

    def test_waiting_for_an_offline_device(self) -> Deferred[None]:
        """A command for a device that is offline expires when one says, can be cancelled, and is sent on its return."""

        def act(page: Page) -> None:
            expect(page.locator("[data-live-word]")).to_have_text("Live")
            self.on_server(self.device.disconnect)
            expect(page.locator("#head [data-presence]")).to_have_text("offline")
            for fate in ("cancelled", "done"):
                page.get_by_role("button", name="Identify").click()
                dialog = page.get_by_role("dialog")
                dialog.get_by_label("Expires").select_option("in a day")
                dialog.get_by_role("button", name="Identify").click()
                expect(page.locator(f"{TOP} .fate")).to_have_text("queued")
                expect(page.locator(TOP)).to_contain_text("expires in 23 h")
                if fate == "cancelled":
                    page.get_by_role("button", name="Cancel Identify").click()
                else:
                    self.on_server(self.device.connect, SERIES, (IDENTIFY,))
                expect(page.locator(f"{TOP} .fate")).to_have_text(fate)

        return self.visit(act, "/devices/attic")

    def test_gone_offline_meanwhile(self) -> Deferred[None]:
        """When the device goes while one fills in its form, the form says so and asks how long to wait."""

        def act(page: Page) -> None:
            self.on_server(self.device.disconnect)
            page.get_by_role("button", name="Identify").click()
            expect(page.get_by_role("alert")).to_contain_text("attic has gone offline.")
            page.get_by_label("Expires").select_option("in 10 minutes")
            page.get_by_role("button", name="Identify").click()
            expect(page.locator(f"{TOP} .fate")).to_have_text("queued")

        return self.visit(act, "/devices/attic/commands/identify", errors=True, java_script_enabled=False)

    def test_once_more(self) -> Deferred[None]:
        """A command can be repeated: its form comes filled in."""

        def act(page: Page) -> None:
            page.get_by_role("button", name="Identify").click()
            dialog = page.get_by_role("dialog")
            dialog.get_by_label("Seconds").fill("42")
            dialog.get_by_role("button", name="Identify").click()
            page.get_by_role("link", name="Repeat Identify").click()
            expect(page.get_by_label("Seconds")).to_have_value("42")
            page.get_by_role("button", name="Identify").click()
            expect(page.locator(".fate")).to_have_text(["done", "done"])

        return self.visit(act, "/devices/attic")

    def test_a_viewer(self) -> Deferred[None]:
        """A viewer sees no buttons, is told why, and is refused by the server."""

        async def run() -> None:
            self.cookie = await self.house.user("vera", Role.VIEWER)
            await self.visit(act, "/devices/attic")
            await self.visit(refused, "/devices/attic/commands/identify", errors=True)

        def act(page: Page) -> None:
            expect(page.get_by_text("Sending commands takes the role operator; yours is viewer.")).to_be_visible()
            expect(page.locator(".offers, #rename-panel, #settings, [data-opens]")).to_have_count(0)
            expect(page.get_by_role("link", name="Add device")).to_have_count(0)

        def refused(page: Page) -> None:
            expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
            expect(page.get_by_text("operator")).to_be_visible()

        return Deferred.fromCoroutine(run())
