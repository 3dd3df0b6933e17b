"""Whatever people read on a page is said in their language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from iotcenter.model import Role, Series
from iotcenter.storage import care
from iotcenter.storage.recovery import _report
from iotcenter.web.assets import Assets
from tests.browser.base import BrowserCase
from tests.browser.devices import make_device
from tests.browser.population import command, photograph, populate
from tests.browser.screenshots import BEFORE, PAGES, Act, _nothing
from tests.browser.spoken import in_made_up_language, left_in_english

REFUSALS = (
    "/nowhere",
    "/devices/attik",
    "/devices?page=x",
    "/devices/kitchen-pi/files/999",
    "/devices/kitchen-pi/commands/nothing",
)
"""What cannot be shown."""

DAMAGE = _report(Path("/"), "-", Counter(), ("reading", "user"))


class SpokenTests(BrowserCase):
    """All pages, in all states, in a language that has each text that is marked. Who fails here marks what is told, or
    teaches ``tests/browser/spoken.py`` that it is data."""

    timeout = 300

    async def setUp(self) -> None:  # type: ignore[override]
        assets = in_made_up_language(Assets.load())
        self.patch(Assets, "load", lambda: assets)
        await super().setUp()

    async def prepare(self) -> None:
        """Nobody is there yet."""

    async def test_nothing_is_english(self) -> None:
        """No page, and no refusal, says anything in English to somebody who reads another language."""
        self.patch(care, "reports", lambda directory: (DAMAGE,))
        secret = await self.house.parts.setup_link.issue()
        left = await self.look((path.format(secret=secret), act) for _, path, _, act in BEFORE)
        left += await self.refusals_of_role()
        self.cookie = await self.house.user("anna", Role.ADMIN)
        await self.fill()
        left += await self.look((path, act) for _, path, signed_in, act in PAGES if signed_in)
        left += await self.look([(path, _nothing) for path in ("/devices/counter", *REFUSALS)])
        self.cookie = None
        left += await self.look((path, act) for _, path, signed_in, act in PAGES if not signed_in)
        self.assertEqual(left, [], "\n".join(left))

    async def refusals_of_role(self) -> list[str]:
        """What somebody reads who may only look."""
        self.cookie = await self.house.user("ben", Role.VIEWER)
        return await self.look([(path, _nothing) for path in ("/settings", "/users/anna", "/events", "/")])

    async def fill(self) -> None:
        """A house full of devices, with values of all kinds."""
        devices = await populate(self.house.parts)
        await command(self.house.parts, devices)
        await photograph(devices)
        counter = await make_device(self.house.parts, "counter")
        counter.connect([Series(f"s{place}", "Rate", unit) for place, unit in enumerate(("1/s", "1/min", "beats"))])
        counter.report({"s0": 1.5, "s1": 2.5, "s2": 3.5})

    def look(self, pages: Iterable[tuple[str, Act]]) -> Deferred[list[str]]:
        """What is left in English on each of them."""
        paths = list(pages)

        def act(page: Page) -> list[str]:
            return [f"{path}: {text}" for path, act in paths for text in self.left_on(page, path, act)]

        return self.visit(act, "/more", errors=True, locale="de-DE")

    def left_on(self, page: Page, path: str, act: Act) -> list[str]:
        """The same of one page, once it is live."""
        page.goto(path)
        expect(page.locator("html")).to_have_attribute("lang", "de")
        act(page)
        if page.locator("button[data-live]").count():
            expect(page.locator("button[data-live]")).not_to_have_attribute("data-live", "connecting")
        return left_in_english(page)
