"""SSH in the browser: one's keys, and ports that are opened for tools that cannot jump."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from iotcenter.identity.ssh_keys import fingerprint_of_line
from iotcenter.model import Role
from tests.browser.base import BrowserCase
from tests.browser.devices import SERIES, MadeUpDevice, make_device
from tests.browser.population import SSH


class SshTests(BrowserCase):
    """An operator at work."""

    role = Role.OPERATOR

    async def prepare(self) -> None:
        await super().prepare()
        self.device: MadeUpDevice = await make_device(self.house.parts, "attic")
        self.device.connect(SERIES, (), ssh=SSH)

    def test_keys(self) -> Deferred[None]:
        """What is no key is said to be none; a key that is added is listed by its fingerprint, and can be removed."""

        def act(page: Page) -> None:
            page.get_by_label("Public key").fill("hello")
            page.get_by_role("button", name="Add").click()
            expect(page.locator("#key-fault")).to_contain_text("A public key is one line")
            [line] = SSH.host_keys
            page.get_by_label("Public key").fill(f"{line} anna@desk")
            page.get_by_role("button", name="Add").click()
            listed = page.get_by_role("listitem").filter(has_text="anna@desk")
            expect(listed).to_contain_text(fingerprint_of_line(line))
            listed.get_by_role("button", name="Remove").click()
            expect(page.get_by_text("No keys yet")).to_be_visible()

        return self.visit(act, "/ssh-keys", errors=True)

    def test_port(self) -> Deferred[None]:
        """A port is opened once the device answered, counts down, is there after a reload, and closes with a click."""

        def act(page: Page) -> None:
            page.get_by_label("Port of the device").select_option("8081")
            page.get_by_label("For", exact=True).select_option("10 minutes")
            page.get_by_role("button", name="Open", exact=True).click()
            expect(page).to_have_url(re.compile("/devices/attic#ssh$"))
            listed = page.locator("#open-ports li")
            expect(listed).to_contain_text(re.compile(r"127\.0\.0\.1:\d+ to port 8081"))
            expect(listed.locator("[data-countdown]")).to_have_text(re.compile(r"in (10:00|9:5\d)"))
            page.reload()
            listed.get_by_role("button", name="Close").click()
            expect(listed).to_have_count(0)

        return self.visit(act, "/devices/attic")

    def test_port_that_leads_nowhere(self) -> Deferred[None]:
        """Where the device refuses, its reason is shown above the form, in which the choice still stands."""
        self.device.refuses = "nothing answers on port 8081 of this device: <b>Connection refused</b>"

        def act(page: Page) -> None:
            page.get_by_label("Port of the device").select_option("8081")
            page.get_by_role("button", name="Open", exact=True).click()
            expect(page.get_by_role("alert")).to_contain_text("Nothing answers on port 8081 of this device: <b>")
            expect(page.get_by_label("Port of the device")).to_have_value("8081")

        return self.visit(act, "/devices/attic", errors=True)
