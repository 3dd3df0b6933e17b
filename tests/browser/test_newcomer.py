"""The newcomer's way, from the setup link to a command's result: a real server, a real device, a real browser."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import BrowserContext, Page, expect
from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread
from twisted.trial.unittest import TestCase

from tests.browser.base import shared_browser
from tests.browser.browser import missing
from tests.browser.house import PASSWORD
from tests.daemons import ServerProcess
from tests.processes import Program
from tests.support import Environment

OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1"}
"""Has pip take what is there: packages are not downloaded in tests."""

ARRIVAL = 180_000
"""Milliseconds from pasting the line to the device's being there: mostly pip's."""

CHANGE = 60_000
"""Milliseconds until a value is another: the example measures every 10 s."""


class Newcomer:
    """Somebody in front of a browser, with or without scripts, who does what the pages say.

    ``paste`` is what they do in the terminal of the other machine.
    """

    def __init__(self, context: BrowserContext, scripts: bool, paste: Any) -> None:
        self.page = context.new_page()
        self.other = context.new_page()
        self.scripts = scripts
        self.paste = paste

    def go(self, link: str) -> None:
        """The whole way."""
        self.set_up(link)
        self.add_device()
        self.see_a_value_change()
        self.send_identify()

    def set_up(self, link: str) -> None:
        """The link that the server printed makes the account."""
        self.page.goto(link)
        self.page.get_by_label("Name").fill("anna")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Create the account").click()
        expect(self.page.get_by_text("Welcome, anna.")).to_be_visible()

    def add_device(self) -> None:
        """A name, then the line; the device appears on this page and on the dashboard."""
        self.other.goto(self.page.url.partition("/add-device")[0])
        expect(self.other.get_by_text("No devices yet")).to_be_visible()
        self.page.get_by_label("Name of the device").fill("balcony")
        self.page.get_by_role("button", name="Make the line").click()
        self.paste(self.page.get_by_label("The line for balcony").input_value())
        self.wait_for(self.page, "balcony is connected.", ARRIVAL)
        self.wait_for(self.other, "CPU", CHANGE)
        self.page.get_by_role("link", name="See balcony").click()

    def see_a_value_change(self) -> None:
        """The network's rate is never twice the same."""
        number = self.page.locator("[data-series=network_in] .number")
        self.until(self.page, lambda: (number.text_content() or "\N{EN DASH}") != "\N{EN DASH}", CHANGE)
        before = number.text_content()
        self.until(self.page, lambda: number.text_content() != before, CHANGE)

    def send_identify(self) -> None:
        """A command with an argument, and its result."""
        role: Any = "button" if self.scripts else "link"
        self.page.locator(".offers").get_by_role(role, name="Identify").click()
        self.page.get_by_label("Seconds").first.fill("3")
        self.page.locator(":is(dialog[open], #dialog-identify:not(dialog)) [type=submit]").click()
        fate = self.page.locator(".sent-item .fate")
        self.until(self.page, lambda: fate.count() == 1 and fate.text_content() == "done", CHANGE)
        expect(self.page.locator(".sent-result")).to_contain_text("Here I am:")
        expect(self.page.locator(".sent-args")).to_contain_text("3 s")

    def wait_for(self, page: Page, text: str, patience: float) -> None:
        """Wait until the page says ``text``."""
        found = page.get_by_text(text).first
        self.until(page, found.is_visible, patience)

    def until(self, page: Page, true: Any, patience: float) -> None:
        """Wait until something is true of the page; without scripts, by loading it again and again."""
        if self.scripts:
            page.evaluate("window.stays = true")
        for _ in range(int(patience / 500)):
            if true():
                assert not self.scripts or page.evaluate("window.stays"), "the page was loaded again"
                return
            page.wait_for_timeout(500)
            if not self.scripts:
                page.reload()
        raise AssertionError(f"this did not happen; the page says: {page.locator('main').inner_text()}")


class NewcomerTests(TestCase):
    """On ports of all interfaces, over HTTPS with the server's own certificate, as a newcomer has it."""

    timeout = 400

    def setUp(self) -> None:
        from twisted.internet import reactor

        for program in ("curl", "sh"):
            if shutil.which(program) is None:
                raise missing(f"{program} is not installed")
        self.reactor: Any = reactor
        self.browser = shared_browser()
        self.directory = Path(self.mktemp()).absolute()
        self.device: Program | None = None
        self.server = ServerProcess(reactor, self.directory / "data")

    async def tearDown(self) -> None:  # type: ignore[override]
        if self.device is not None and not self.device.ended.called:
            for process in psutil.Process(self.device.pid).children(recursive=True):
                process.kill()
            await self.device.end()
        await self.server.kill()

    def test_with_scripts(self) -> Deferred[None]:
        """No page is loaded again for something to be seen."""
        return self.walk(scripts=True)

    def test_without_scripts(self) -> Deferred[None]:
        """The same with scripting off, by reloading."""
        return self.walk(scripts=False)

    def walk(self, scripts: bool) -> Deferred[None]:
        """Start the server, and let the newcomer come."""
        return Deferred.fromCoroutine(self._walk(scripts))

    async def _walk(self, scripts: bool) -> None:
        await self.server.start()
        found = re.search(r"/setup\?t=\S+", self.server.program.said)
        assert found is not None, self.server.program.said
        link = f"https://127.0.0.1:{self.server.https}{found[0]}"
        await self.browser.run(lambda: self._come(link, scripts))

    def _come(self, link: str, scripts: bool) -> None:
        context = self.browser.context(ignore_https_errors=True, java_script_enabled=scripts)
        try:
            Newcomer(context, scripts, self._paste).go(link)
        except AssertionError as error:
            said = self.device.said if self.device is not None else "nothing: it was not started"
            raise AssertionError(f"{error}\nThe device says: {said}") from error
        finally:
            context.close()

    def _paste(self, line: str) -> None:
        """Run the line on the other machine, which has its packages already."""
        blockingCallFromThread(self.reactor, self._start, line)

    def _start(self, line: str) -> None:
        home = self.directory / "device"
        Environment(home / "venv")
        settings = {**OFFLINE, "IOTDEVICE_HOME": str(home), "PYTHONPATH": "", "NO_PROXY": "*"}
        self.device = Program(self.reactor, ["sh", "-c", line], settings)
