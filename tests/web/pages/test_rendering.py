"""Templates and how they are rendered."""

from __future__ import annotations

import re
import time
from importlib.resources import files
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.known import Brief
from iotcenter.model import Device, PresenceState, Role, SeriesValue
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.pages.devices import COLUMNS, DevicesQuery
from iotcenter.web.pages.error import ErrorPages, NoSuchDevice
from iotcenter.web.pages.rendering import Renderer, sentence
from iotcenter.web.pages.views import CARDS, PAGE, PRIMARY, SORTS, counts, select
from iotcenter.web.principal import Principal, Via
from tests.browser.devices import SERIES

NOW = 1795356202.0
ANNA = Principal("anna", Role.ADMIN, Via.SESSION, csrf="token")

BUDGET = 0.1
"""Seconds of the processor that a page may take: a hundredth on a common machine, and a slow one that shares its cores
needs several times as much. A dashboard of a thousand cards takes 0.2 on the former."""


def device(place: int) -> Device:
    """One of many devices."""
    values = tuple(
        SeriesValue(one.name, one.label, one.unit, one.every, one.decimals, 20.0 + place, NOW - place) for one in SERIES
    )
    state = list(PresenceState)[place % 3]
    return Device(f"device-{place:04}", f"{place:032x}", "tls", state, last_seen=NOW - place, series=values)


def templates() -> dict[str, str]:
    """All templates, by name."""
    folder = files("iotcenter").joinpath("assets", "templates")
    return {one.name: one.read_text() for one in folder.iterdir() if one.name.endswith(".html")}


class SpeedTests(SynchronousTestCase):
    """No page holds the reactor for long."""

    def setUp(self) -> None:
        self.renderer = Renderer("build", lambda: NOW)
        self.devices = [device(place) for place in range(1000)]
        self.briefs = [Brief(one.name, one.state, one.last_seen, "", "") for one in self.devices]

    def quickest(self, template: str, **context: Any) -> float:
        """The seconds of the processor that a rendering takes when little else disturbs it."""
        times = []
        for _ in range(5):
            began = time.thread_time()
            self.renderer.render(template, ANNA, **context)
            times.append(time.thread_time() - began)
        return min(times)

    def test_a_full_dashboard(self) -> None:
        """Sixty cards of five values are rendered within the budget."""
        context = {"devices": self.devices[:CARDS], "total": 1000, "counts": counts(self.briefs), "primary": PRIMARY}
        self.assertLess(self.quickest("dashboard.html", **context), BUDGET)

    def test_a_full_list(self) -> None:
        """So is a page of a hundred devices out of a thousand, with the search for them."""
        began = time.thread_time()
        selection = select(self.briefs, "device", "", "seen", 3)
        searching = time.thread_time() - began
        self.assertEqual(len(selection.names), PAGE)
        context = {
            "devices": self.devices[:PAGE],
            "query": DevicesQuery(),
            "sorts": SORTS,
            "columns": COLUMNS,
            "total": 1000,
            "counts": counts(self.briefs),
        }
        self.assertLess(searching + self.quickest("devices.html", selection=selection, **context), BUDGET)


class TurnTests(SynchronousTestCase):
    """Pages that show many devices."""

    def test_turns(self) -> None:
        """Others have their turn while such a page is made, and the page is the same."""
        turns: list[Deferred[None]] = []

        def turn() -> Deferred[None]:
            turns.append(Deferred())
            return turns[-1]

        renderer = Renderer("build", lambda: NOW, turn=turn)
        devices = [device(place) for place in range(CARDS)]
        context: dict[str, Any] = {"devices": devices, "total": CARDS, "counts": {}, "primary": PRIMARY}
        making = Deferred.fromCoroutine(renderer.render_in_turns("dashboard.html", ANNA, **context))
        for one in turns:  # it grows meanwhile
            self.assertNoResult(making)
            one.callback(None)
        self.assertGreater(len(turns), 2)
        self.assertEqual(self.successResultOf(making), renderer.render("dashboard.html", ANNA, **context))


class TemplateTests(SynchronousTestCase):
    """The templates themselves."""

    def test_nothing_is_inline(self) -> None:
        """No template has a style, a script or a handler of an event in it: the policy of the pages forbids them."""
        inline = re.compile(r"<style|<script(?![^>]* src=)|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE)
        found = {name: inline.findall(text) for name, text in templates().items()}
        self.assertEqual({name: faults for name, faults in found.items() if faults}, {})

    def test_nothing_is_unescaped(self) -> None:
        """What is marked as safe is text of ours alone."""
        found = {name: re.findall(r"[^\s({]+\|\s*safe", text) for name, text in templates().items()}
        wanted = {"_fields.html": ["""'autocomplete="off"'|safe""", """'step="1"'|safe"""]}
        self.assertEqual({name: uses for name, uses in found.items() if uses}, wanted)

    def test_every_form_that_changes_something_has_its_token(self) -> None:
        """Each form that is posted carries the token of the session, but for those before there is one."""
        for name, text in templates().items():
            forms = re.findall(r"<form[^>]*method=\"post\".*?</form>", text, re.DOTALL)
            if name not in ("setup.html", "sign_in.html", "reset.html", "display_out.html"):
                for form in forms:
                    self.assertRegex(form, r"ui\.csrf\(\)|name=\"csrf\"", name)


class ErrorTests(SynchronousTestCase):
    """Pages that tell of trouble."""

    def setUp(self) -> None:
        self.pages = ErrorPages(Renderer("build", lambda: NOW))

    def test_names_like_it(self) -> None:
        """Who mistypes a device's name is offered those like it."""
        known = ("attic", "kitchen-pi", "kitchen-fan")
        page = self.pages.render(NoSuchDevice("Kitchenpi", known), ANNA)
        self.assertIn('href="/devices/kitchen-pi"', page)
        self.assertNotIn('href="/devices/attic"', page)

    def test_a_fault_of_ours(self) -> None:
        """An error of the server shows the mark by which it is found in the log, to strangers too."""
        problem = HTTPProblem(500, "internal", "something went wrong; see incident ab12cd34", incident="ab12cd34")
        for principal in (ANNA, None):
            self.assertIn("ab12cd34", self.pages.render(problem, principal))

    def test_what_somebody_sent(self) -> None:
        """What the request held is shown as text."""
        problem = HTTPProblem(422, "invalid", "<b>bold</b> is unfit", {"<i>": "<u>"})
        page = self.pages.render(problem, None)
        self.assertNotIn("<b>bold", page)
        self.assertNotIn("<i>", page)

    def test_the_disk_is_full(self) -> None:
        """Every page says when nothing can be stored."""
        full = Renderer("build", lambda: NOW, lambda: "the disk is full")
        self.assertIn("Nothing can be stored now.", full.render("more.html", ANNA))
        self.assertIn("The disk is full.", full.render("more.html", ANNA))

    def test_notices(self) -> None:
        """Every page says what the operator should see to, but not to strangers."""
        pages = Renderer("build", lambda: NOW, notices=lambda: ("The disk is 91% full.",))
        self.assertIn("The disk is 91% full.", pages.render("more.html", ANNA))
        self.assertNotIn("91%", ErrorPages(pages).render(HTTPProblem(404, "nothing", "there is no such page"), None))

    def test_sentences(self) -> None:
        """Messages become sentences."""
        self.assertEqual([sentence(text) for text in ("it is", "What?", "", " a. ")], ["It is.", "What?", "", "A."])
