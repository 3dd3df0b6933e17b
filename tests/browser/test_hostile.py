"""Texts that want to be more than texts, in all that a device and a stranger's browser may say, on every page."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from playwright.sync_api import Page, expect
from twisted.internet.defer import Deferred

from iotcenter.center.errors import TunnelRefused
from iotcenter.center.trying import try_out
from iotcenter.center.tunnels import Opener
from iotcenter.model import (
    MAX_LINE,
    MAX_SHORT_TEXT,
    MAX_TEXT,
    AppState,
    Argument,
    ArgumentType,
    CommandOffer,
    LogLevel,
    Reading,
    Series,
)
from iotcenter.web.guard import API, Kind, routes_of
from iotcenter.web.site import all_handlers
from tests.browser.base import BrowserCase
from tests.browser.devices import MadeUpDevice, make_device
from tests.browser.population import SSH

CANARY = "window.attacked ?? null"
"""What every attack here sets, wherever it runs."""

ATTACKS = (
    """</script><script>window.attacked=1</script>""",
    """"'><img src=x onerror=window.attacked=2>""",
    """<svg onload=window.attacked=3>{{7*7}}""",
    """</textarea></title><iframe srcdoc="<script>parent.attacked=4</script>">""",
    """javascript:window.attacked=5//\u202e\u2066gpj.exe""",
    """\0<b onmouseover=window.attacked=6>\r\n</li></ol>""",
    """%(name)s${attacked}`window.attacked=7`""",
)
"""Markup, scripts, addresses that run, directions that lie, control characters, and what a template might fill in."""

ALL = " ".join(ATTACKS)

ELSEWHERE = frozenset(("/setup", "/reset", "/display/sign-in"))
"""Pages that nobody who is signed in is shown."""

QUERIES = (
    "/charts?s=attic.door&s=attic.level&device=attic",
    "/display?s=attic.door&s=attic.level",
    "/display?choose=yes&s=attic.door&device=attic",
    "/devices?q=attic&c=values&c=agent",
    f"/devices?q={ATTACKS[1]}",
    f"/logs?text={ATTACKS[1]}",
    f"/events?actor={ATTACKS[1]}&from={ATTACKS[0]}",
    f"/charts?s={ATTACKS[1]}&from={ATTACKS[2]}",
    f"/devices/{ATTACKS[3]}",
)
"""Pages that show more of it by what they are asked for."""


class HostileTests(BrowserCase):
    """A device that was taken over by somebody with bad intentions, and a browser that lies about itself."""

    timeout = 200

    async def prepare(self) -> None:
        """Everything that takes a text has one."""
        await super().prepare()
        self.device: MadeUpDevice = await make_device(self.house.parts, "attic")
        choice = Argument("x", ArgumentType.CHOICE, ALL[:64], ALL[:200], choices=ATTACKS, default=ATTACKS[0])
        text = Argument("y", ArgumentType.TEXT, ATTACKS[1], ATTACKS[2], default=ATTACKS[3], unit=ALL[:16])
        self.device.connect(
            (Series("door", ATTACKS[0][:64], ALL[:16]), Series("level", ATTACKS[1], "<b>")),
            tuple(
                CommandOffer(f"c{number}", attack[:64], attack, (choice, text)) for number, attack in enumerate(ATTACKS)
            ),
            ssh=SSH,
            agent=ALL[:MAX_SHORT_TEXT],
            app=AppState.FAILED,
            app_detail=ALL[:MAX_SHORT_TEXT],
        )
        self.device.refuses = ALL
        await self.say()
        await self.house.parts.sessions.create("anna", "192.0.2.1", ALL)
        [line] = SSH.host_keys
        await self.house.parts.ssh_keys.add("anna", f"{line} {ATTACKS[1]}")
        with contextlib.suppress(TunnelRefused):
            await try_out(self.house.parts.center.tunnels, "attic", 22, Opener("anna", "the web"))

    async def say(self) -> None:
        """The device says all of it again, as long as it may."""
        device, commands = self.device, self.house.parts.center.commands
        device.report({"door": ATTACKS[0], "level": 1.5})
        await device.remember([Reading("door", attack, self.reactor.seconds() - 60) for attack in ATTACKS])
        for attack in (*ATTACKS, (ALL * 99)[:MAX_LINE]):
            device.log(LogLevel.ERROR, attack)
            await device.upload(b"<script>window.attacked=8</script>", attack[:200], attack[:200])
        device.answer = lambda name, args: {"text": ALL * 300, ALL: [ALL]}
        await commands.send("attic", "c0", {"x": ATTACKS[0], "y": ALL}, "anna", timeout=10)
        device.answer = self.fail_with_words
        await commands.send("attic", "c1", {"x": ATTACKS[1], "y": ALL}, "anna", timeout=10)

    def fail_with_words(self, name: str, args: object) -> None:
        """See ``MadeUpDevice.answer``."""
        raise RuntimeError((ALL * 99)[:MAX_TEXT])

    def pages(self) -> Iterator[str]:
        """Every page that there is, of the device and of anna."""
        for handlers in all_handlers(self.house.parts):
            for route, _ in routes_of(handlers):
                path = re.sub(r"<(?:int[^:]*):\w+>", "1", route.path)
                path = re.sub(r"<command>", "c0", path)
                path = re.sub(r"(?<=/users/)<\w+>", "anna", path)
                path = re.sub(r"<name>", "attic", path)
                if route.kind is Kind.PAGE and "GET" in route.methods and path not in ELSEWHERE and "<" not in path:
                    assert not path.startswith(API)
                    yield path
        yield from QUERIES

    def test_every_page(self) -> Deferred[None]:
        """All of it is shown as text, or not at all, by the server and by scripts: nothing runs, and nothing would have
        but for the policy."""

        def act(page: Page) -> None:
            stopped: list[str] = []
            page.on("console", lambda message: stopped.append(message.text) if "Policy" in message.text else None)
            page.on("dialog", lambda dialog: stopped.append(dialog.message))
            page.on("pageerror", lambda error: stopped.append(str(error)))
            visited = [*self.pages()]
            for path in visited:
                page.goto(path, wait_until="load")
                page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
                self.assertEqual((page.evaluate(CANARY), stopped), (None, []), path)
                found = page.locator("[onerror], [onload], [onmouseover], iframe, [href^='javascript:']").count()
                self.assertEqual(found, 0, path)
            self.assertGreater(len(visited), 30)

        return self.visit(act, errors=True)

    def test_live(self) -> Deferred[None]:
        """What comes while somebody looks is shown as text too."""

        def act(page: Page) -> None:
            for path in ("/", "/devices/attic", "/logs", "/photos", "/charts?s=attic.door", "/display?s=attic.door"):
                page.goto(path)
                if page.locator("[data-live]").count():
                    expect(page.locator("[data-live-word]")).to_have_text("Live")
                self.on_server(self.say)
                page.wait_for_timeout(1200)  # readings are told of once a second
                self.assertIsNone(page.evaluate(CANARY), path)

        return self.visit(act, errors=True)
