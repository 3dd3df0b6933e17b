"""Pictures of every page in all forms, for people to look at: ``python -m tests.browser.screenshots DIRECTORY``."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import Page
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, react

from iotcenter.model import Role
from tests.browser.browser import FORMS, Browser, Complaints, Form, accessibility, sideways
from tests.browser.house import House
from tests.browser.pictures import landscape
from tests.browser.population import command, keep_reporting, photograph, populate

Act = Callable[[Page], None]


def _nothing(page: Page) -> None:
    """Just look."""


def _open_dialog(page: Page, name: str) -> None:
    page.locator(f"[data-opens=dialog-{name}]").click()


def _submit(page: Page) -> None:
    page.locator("main form [type=submit]").first.click()
    page.wait_for_load_state()


def _type(page: Page, fields: dict[str, str]) -> None:
    for name, text in fields.items():
        page.locator(f"main [name={name}]").first.fill(text)


def _wrong_sign_in(page: Page) -> None:
    _type(page, {"name": "anna", "password": "something else"})
    _submit(page)


def _type_and_submit(page: Page, fields: dict[str, str]) -> None:
    _type(page, fields)
    page.locator("main form:has(textarea) [type=submit]").click()
    page.wait_for_load_state()


def _add(page: Page) -> None:
    _type(page, {"name": "balcony"})
    _submit(page)


def _add_by(page: Page, action: str, name: str) -> None:
    form = page.locator(f"form[action='{action}']")
    form.locator("[name=name]").fill(name)
    form.locator("[type=submit]").click()
    page.wait_for_load_state()
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")


def _add_and_open(page: Page) -> None:
    _add(page)
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")


def _make_token(page: Page) -> None:
    page.locator("#name").fill(f"graphs {time.time_ns()}")
    page.locator("form[action='/tokens'] [type=submit]").click()
    page.wait_for_load_state()


def _add_chip(page: Page) -> None:
    _add_by(page, "/add-udp-device", f"chip-{token_hex(4)}")


def _add_camera(page: Page) -> None:
    _add_by(page, "/add-registrar-device", f"camera-{token_hex(4)}")


def _unfit(page: Page) -> None:
    page.evaluate("document.querySelector('main form').noValidate = true")
    _submit(page)


def _pause(page: Page) -> None:
    _press(page, "[data-live]")
    _press(page, "[data-live-pause]")


def _press(page: Page, what: str) -> None:
    page.locator(what).first.click()


def _watch(page: Page) -> None:
    """A picture of the camera, which is none of the server's here."""
    picture = landscape(12, 640, 480)
    page.route("**/video", lambda route: route.fulfill(body=picture, content_type="image/png"))
    _press(page, "[data-video-toggle]")
    page.locator("[data-video]").scroll_into_view_if_needed()


def _reset(page: Page) -> None:
    """The page that a link for a new password leads to."""
    _press(page, "[action$=reset-link] [type=submit]")
    link = urlsplit(page.locator("#link").input_value())
    page.goto(urljoin(page.url, f"{link.path}?{link.query}"))


BEFORE: tuple[tuple[str, str, bool, Act], ...] = (
    ("nobody", "/", False, _nothing),
    ("setup", "/setup?t={secret}", False, _nothing),
    ("setup-unfit", "/setup?t={secret}", False, _unfit),
)
"""What there is to see before there are users."""

PAGES: tuple[tuple[str, str, bool, Act], ...] = (
    ("sign-in", "/sign-in", False, _nothing),
    ("sign-in-wrong", "/sign-in", False, _wrong_sign_in),
    ("setup-refused", "/setup?t=used", False, _nothing),
    ("dashboard", "/", True, _nothing),
    ("dashboard-live", "/", True, partial(_press, what="[data-live]")),
    ("dashboard-paused", "/", True, _pause),
    ("devices", "/devices", True, _nothing),
    ("devices-late", "/devices?state=late&sort=seen", True, _nothing),
    ("devices-columns", "/devices?c=values&c=seen&c=transport&c=received&c=lost", True, _nothing),
    ("devices-none", "/devices?q=nowhere", True, _nothing),
    ("device", "/devices/kitchen-pi", True, _nothing),
    ("device-video", "/devices/kitchen-pi", True, _watch),
    ("device-offline", "/devices/cellar", True, _nothing),
    ("device-failed", "/devices/garage", True, _nothing),
    ("device-new", "/devices/shed", True, _nothing),
    ("dialog", "/devices/kitchen-pi", True, partial(_open_dialog, name="relay")),
    ("dialog-danger", "/devices/kitchen-pi", True, partial(_open_dialog, name="reboot")),
    ("dialog-offline", "/devices/cellar", True, partial(_open_dialog, name="relay")),
    ("command", "/devices/kitchen-pi/commands/everything", True, _nothing),
    ("command-unfit", "/devices/kitchen-pi/commands/everything", True, _unfit),
    ("add-device", "/add-device?first=yes", True, _nothing),
    ("enrollment", "/add-device", True, _add),
    ("enrollment-open", "/add-device", True, _add_and_open),
    ("udp-key", "/add-device", True, _add_chip),
    ("registration", "/add-device", True, _add_camera),
    ("device-rename", "/devices/attic", True, partial(_press, what="[popovertarget=rename-panel]")),
    ("charts", "/charts", True, _nothing),
    ("charts-two", "/charts?s=kitchen-pi.cpu_temperature&s=kitchen-pi.load&s=attic.humidity", True, _nothing),
    ("charts-unfit", "/charts?s=attic.humidity&from=yesterday&device=kitchen-pi", True, _nothing),
    (
        "display",
        "/display?s=attic.temperature&s=greenhouse.humidity&s=kitchen-pi.uptime&s=boiler.battery",
        True,
        _nothing,
    ),
    ("display-one", "/display?s=freezer.temperature", True, _nothing),
    ("display-missing", "/display?s=cellar.temperature&s=nowhere.x&s=shed.x", True, _nothing),
    ("display-choice", "/display?choose=yes&s=attic.temperature&device=attic", True, _nothing),
    ("display-out", "/display?s=attic.temperature", False, _nothing),
    ("ssh", "/devices/kitchen-pi/ssh", True, _nothing),
    ("ssh-open", "/devices/kitchen-pi/ssh", True, _submit),
    ("profile", "/profile", True, _nothing),
    ("users", "/users", True, _nothing),
    ("user", "/users/anna", True, _nothing),
    ("user-link", "/users/anna", True, partial(_press, what="[action$=reset-link] [type=submit]")),
    ("reset", "/users/anna", True, _reset),
    ("reset-refused", "/reset?t=used", False, _nothing),
    ("tokens", "/tokens", True, _nothing),
    ("token", "/tokens", True, _make_token),
    ("settings", "/settings?device=attic", True, _nothing),
    ("reference", "/api", True, partial(_press, what="summary")),
    ("ssh-keys", "/ssh-keys", True, _nothing),
    ("ssh-keys-wrong", "/ssh-keys", True, partial(_type_and_submit, fields={"key": "hello"})),
    ("events", "/events", True, _nothing),
    ("events-none", "/events?actor=nobody", True, _nothing),
    ("logs", "/logs", True, _nothing),
    ("logs-none", "/logs?text=nowhere", True, _nothing),
    ("photos", "/photos", True, _nothing),
    ("photos-device", "/photos?device=kitchen-pi&all=yes", True, _nothing),
    ("photos-none", "/photos?device=cellar", True, _nothing),
    ("photo", "/devices/kitchen-pi/files/6", True, _nothing),
    ("file", "/devices/kitchen-pi/files/13", True, _nothing),
    ("more", "/more", True, _nothing),
    ("about", "/about", True, _nothing),
    ("not-found", "/devices/kitchenpi", True, _nothing),
)
"""Name, path, whether somebody is signed in, and what to do before the picture is taken."""


def _picture_whole(page: Page, path: Path, form: Form) -> None:
    """The whole page at once, as if the screen were so tall; where it is no taller than the screen there is no need."""
    height = page.evaluate("document.documentElement.scrollHeight")
    if height <= form.height:
        return
    page.set_viewport_size({"width": form.width, "height": min(height, 8000)})
    page.wait_for_timeout(1000)
    page.screenshot(path=path)
    page.set_viewport_size({"width": form.width, "height": form.height})


def take(
    browser: Browser, url: str, cookie: Any, pages: Iterable[Any], folder: Path, form: Form, only: list[str]
) -> list[str]:
    """Pictures in one form; and what is wrong with the pages."""
    faults = []
    for name, path, signed_in, act in pages:
        if only and name not in only:
            continue
        context = browser.context(form)
        if signed_in:
            context.add_cookies([cookie])
        page = context.new_page()
        complaints = Complaints(page)
        page.goto(url + path)
        act(page)
        page.wait_for_timeout(700)
        page.screenshot(path=folder / f"{name}-{form.name}.png")
        _picture_whole(page, folder / f"{name}-{form.name}-whole.png", form)
        over = sideways(page)
        found = [*accessibility(page), *complaints.words, *([f"too wide by {over}"] if over > 0 else [])]
        faults += [f"{name} {form.name}: {fault}" for fault in found]
        context.close()
    return faults


def show(faults: Iterable[str]) -> None:
    """Tell what is wrong."""
    for fault in faults:
        if "Failed to load resource: the server responded with a status of 4" not in fault:
            sys.stdout.write(f"{fault}\n")


async def main(reactor: Any, folder: Path, only: list[str]) -> None:
    """Make the server, its devices and the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    browser = Browser()
    browser.start()
    house = House(Path(tempfile.mkdtemp()) / "data", reactor)
    await house.begin()
    try:
        await _take_all(browser, house, folder, only)
    finally:
        browser.stop()
        await house.close()


async def _take_all(browser: Browser, house: House, folder: Path, only: list[str]) -> None:
    secret = await house.parts.setup_link.issue()
    before = [(name, path.format(secret=secret), signed_in, act) for name, path, signed_in, act in BEFORE]
    for form in FORMS:
        show(await browser.run(partial(take, browser, house.url, None, before, folder, form, only)))
    cookie = await house.user("anna", Role.ADMIN)
    devices = await populate(house.parts)
    await command(house.parts, devices)
    await photograph(devices)
    reporting: Any = LoopingCall(keep_reporting, devices)
    reporting.start(5)
    for form in FORMS:
        show(await browser.run(partial(take, browser, house.url, cookie, PAGES, folder, form, only)))
    reporting.stop()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, Path(sys.argv[1]), sys.argv[2:])))
