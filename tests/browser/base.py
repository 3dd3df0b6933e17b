"""What the browser tests have in common: one browser, and a fresh server and context for each test."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Page
from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread
from twisted.trial.unittest import TestCase

from iotcenter.model import Role
from iotcenter.web.doors import Door
from tests.browser.browser import DESK_LIGHT, Browser, Complaints, Form
from tests.browser.house import House

T = TypeVar("T")


@lru_cache(maxsize=1)
def shared_browser() -> Browser:
    """The browser of this run, since each takes a second to start; it ends with the run."""
    from twisted.internet import reactor

    browser = Browser()
    browser.start()
    reactor.addSystemEventTrigger("before", "shutdown", browser.stop)
    return browser


class BrowserCase(TestCase):
    """Tests against ``house``, a whole server in this process.

    A test hands ``visit`` a function that drives a page; that runs in the browser's thread, while the reactor serves.
    What it does to the server it does by ``on_server``.
    """

    timeout = 300
    role = Role.ADMIN
    door = Door.HTTP

    async def setUp(self) -> None:  # type: ignore[override]
        from twisted.internet import reactor

        self.browser = shared_browser()
        self.reactor: Any = reactor
        self.house = House(Path(self.mktemp()), reactor, self.door)
        await self.house.begin()
        self.cookie: dict[str, Any] | None = None
        await self.prepare()

    async def prepare(self) -> None:
        """What is there when the test begins: anna, who is signed in."""
        self.cookie = await self.house.user("anna", self.role)

    async def tearDown(self) -> None:  # type: ignore[override]
        await self.house.close()

    def visit(
        self, act: Callable[[Page], T], path: str = "/", form: Form = DESK_LIGHT, errors: bool = False, **options: Any
    ) -> Deferred[T]:
        """Open ``path`` and let ``act`` do as it likes; unless ``errors``, nothing may complain meanwhile."""
        return self.browser.run(lambda: self._visit(act, path, form, errors, options))

    def _visit(self, act: Callable[[Page], T], path: str, form: Form, errors: bool, options: dict[str, Any]) -> T:
        context = self.browser.context(form, base_url=self.house.url, **options)
        try:
            if self.cookie is not None:
                context.add_cookies([self.cookie])  # type: ignore[list-item]
            page = context.new_page()
            complaints = Complaints(page)
            page.goto(path)
            result = act(page)
            if not errors:
                self.assertEqual(complaints.words, [])
            return result
        finally:
            context.close()

    def on_server(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Call ``function`` in the reactor's thread, from the browser's; wait for what it returns."""

        def call() -> Any:
            result = function(*args, **options)
            return Deferred.fromCoroutine(result) if isinstance(result, Coroutine) else result

        return blockingCallFromThread(self.reactor, call)
