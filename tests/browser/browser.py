"""Chromium, driven by Playwright's synchronous API in a thread of its own, as Twisted's reactor has the main thread."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Playwright, expect, sync_playwright
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest

EXECUTABLE = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"

PATIENCE = 60_000
"""Milliseconds that a page may take to become as expected: this machine may be busy with other tests."""

T = TypeVar("T")


def missing(what: str) -> SkipTest | AssertionError:
    """What to raise where something that the tests need is not installed: nobody may fail to notice that in CI."""
    return AssertionError(what) if os.environ.get("CI") == "true" else SkipTest(what)


@dataclass(frozen=True)
class Form:
    """A way to look at pages: the size of the window, and the colours."""

    name: str
    width: int
    height: int
    colours: str
    phone: bool


DESK_LIGHT = Form("desk-light", 1280, 800, "light", False)
FORMS = (
    DESK_LIGHT,
    Form("desk-dark", 1280, 800, "dark", False),
    Form("phone-light", 390, 844, "light", True),
    Form("phone-dark", 390, 844, "dark", True),
)


class Browser:
    """One Chromium. Everything about it happens in one thread, which ``run`` hands work to."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "browser")
        self._playwright: Playwright | None = None
        self._chromium: Chromium | None = None

    def start(self) -> None:
        """Start it; blocks. Raises ``SkipTest`` where there is none."""
        if not EXECUTABLE.exists():
            raise missing(f"there is no browser: install {EXECUTABLE}")
        self._thread.submit(self._start).result()

    def stop(self) -> None:
        """End it; blocks."""
        self._thread.submit(self._stop).result()
        self._thread.shutdown()

    def run(self, work: Callable[[], T]) -> Deferred[T]:
        """What ``work``, which may use Playwright, returns."""
        from twisted.internet import reactor

        result: Deferred[T] = Deferred()

        def tell(future: Future[T]) -> None:
            error = future.exception()
            fire: Callable[[Any], None] = result.callback if error is None else result.errback
            reactor.callFromThread(fire, future.result() if error is None else error)  # type: ignore[attr-defined]

        self._thread.submit(work).add_done_callback(tell)
        return result

    def context(self, form: Form = DESK_LIGHT, **options: Any) -> BrowserContext:
        """A fresh context: no cookies, nothing cached. To be called in the browser's thread."""
        assert self._chromium is not None
        context = self._chromium.new_context(
            viewport={"width": form.width, "height": form.height},
            color_scheme="dark" if form.colours == "dark" else "light",
            device_scale_factor=2 if form.phone else 1,
            has_touch=form.phone,
            locale=options.pop("locale", "en-GB"),
            timezone_id=options.pop("timezone_id", "Europe/Berlin"),
            **options,
        )
        context.set_default_timeout(PATIENCE)
        return context

    def _start(self) -> None:
        expect.set_options(timeout=PATIENCE)
        self._playwright = sync_playwright().start()
        self._chromium = self._playwright.chromium.launch(executable_path=EXECUTABLE, args=list(ARGUMENTS))

    def _stop(self) -> None:
        if self._chromium is not None and self._playwright is not None:
            self._chromium.close()
            self._playwright.stop()


class Complaints:
    """What a page's console complains of: errors, and whatever the Content-Security-Policy had to stop."""

    def __init__(self, page: Page) -> None:
        self.words: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.words.append(f"exception: {error}"))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.words.append(f"{message.text} ({message.location.get('url', '')})")


def sideways(page: Page, width: int = 320) -> int:
    """By how many pixels the page is too wide for a window of ``width``."""
    before = page.viewport_size
    page.set_viewport_size({"width": width, "height": 700})
    over: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if before is not None:
        page.set_viewport_size(before)
    return over


def accessibility(page: Page) -> list[str]:
    """What axe finds wrong by WCAG 2.2 AA, a line each."""
    if not AXE.exists():
        raise missing("axe-core is not installed: npm install --no-save axe-core")
    page.evaluate(AXE.read_text())
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("tags => axe.run(document, {runOnly: tags})", tags)
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
        for one in found["violations"]
    ]
