"""What the server says to a reader of German."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.presence import judge
from iotcenter.model import Event, EventKind, Preferences, Role
from iotcenter.storage.events import EventFilter
from iotcenter.storage.forecast import foretell
from iotcenter.storage.recovery import _report
from iotcenter.texts import speak
from iotcenter.web import phrases
from iotcenter.web.phrases import EVENTS, LOST, NOTICES, PHRASES, happened, noticed, retold
from tests.processes import until
from tests.web.pages.test_formats import german
from tests.web.support import WebTestCase

ROOT = Path(phrases.__file__).parents[2]

NEVER_NOTED = {EventKind.DEVICE_ADDED}

TOLD = {
    "no readings for 3 days, expected every 45 s": "seit 3 d keine Messwerte, erwartet alle 45 s",
    "attic is offline since 14:03": "attic ist offline seit 14:03",
    "full in 214 days": "voll in 214 Tagen",
    "There is already a device named attic.": "Es gibt schon ein Gerät namens attic.",
    "must be at least 3 characters long": "muss mindestens 3 Zeichen lang sein",
    "must be at least 3": "muss mindestens 3 sein",
    "the roof leaks": "the roof leaks",
    "": "",
}

HAPPENED = {
    (EventKind.USER_CHANGED, "anna made bert operator"): "anna hat bert die Rolle Bediener gegeben",
    (EventKind.USER_CHANGED, "anna made a link for a new password of bert"): (
        "anna hat einen Link für ein neues Passwort von bert gemacht"
    ),
    (EventKind.SIGNED_OUT, "anna signed 3 browsers of bert out"): "anna hat 3 Browser von bert abgemeldet",
    (EventKind.COMMAND_ENDED, "reboot on error: failed"): "reboot auf error: gescheitert",
    (EventKind.DEVICE_CHANGED, "anna expects attic every 5 days"): "anna erwartet attic alle 5 d",
    (EventKind.TUNNEL_REFUSED, "attic is offline: it was never here (3 more were not written down)"): (
        "attic ist offline: Es war noch nie hier (3 weitere wurden nicht notiert)"
    ),
    (EventKind.TUNNEL_OPENED, "anna opened a tunnel to port 22 of attic (the web, to see whether it answers)"): (
        "anna hat einen Tunnel zu Port 22 von attic geöffnet (Web, um zu sehen, ob es antwortet)"
    ),
    (EventKind.PORT_CLOSED, "port 4000 to port 80 of attic is closed: its time is over"): (
        "Port 4000 zu Port 80 von attic ist geschlossen: seine Zeit ist um"
    ),
    (EventKind.SIGNED_IN, "as an older server said it"): "as an older server said it",
    ("no.such.kind", "anna revoked attic"): "anna revoked attic",
}


def event(kind: str, text: str) -> Event:
    """Something that happened."""
    return Event(1, 0.0, kind, "anna", "attic", text)


class PhraseTests(SynchronousTestCase):
    """``retold`` and ``happened``."""

    def in_german(self, function: Any, *arguments: Any) -> Any:
        """What ``function`` returns to a reader of German."""

        def call() -> Any:
            speak(german())
            return function(*arguments)

        return copy_context().run(call)

    def test_told_in_german(self) -> None:
        """A sentence is told with its names and numbers, and with what stands within it; one that is not known stays
        as it is."""
        for text, told in TOLD.items():
            self.assertEqual(self.in_german(retold, text), told)

    def test_events_in_german(self) -> None:
        """So are events. A name is never told, though it be a word."""
        for (kind, text), told in HAPPENED.items():
            self.assertEqual(self.in_german(happened, event(kind, text)), told)

    def test_notices_in_german(self) -> None:
        """What the operator should see to is told, however long it is."""
        counts = Counter({"device": 3, "reading": 70000})
        reports = [
            _report(Path("/var/lib/iotcenter/damaged/2026-11-22T10-00-00Z"), "page 7: bad header.", counts, unread)
            for unread in ((), ("reading", "user"))
        ]
        for report in reports:
            told = self.in_german(noticed, report)
            self.assertIn("Gerettet sind: Geräte (3), Messwerte (70000), ", told)
            self.assertNotRegex(told, " (the|was|were|is) ")
        self.assertIn("Teilweise nicht lesbar waren: Messwerte, Benutzer.", told)
        self.assertEqual(noticed(reports[0]), reports[0])
        disk = "The disk is 93% full: 2950 MB are left. Once it is full, nothing can be stored."
        self.assertIn("zu 93% voll: 2950 MB", self.in_german(noticed, disk))
        self.assertEqual(self.in_german(noticed, "the roof leaks"), "the roof leaks")

    def test_long_texts(self) -> None:
        """What is longer than all that is said here stays as it is: devices could make it take long."""
        for name, told in (("x" * 100, True), ("x" * phrases.LONGEST, False)):
            text = f"anna revoked {name}"
            self.assertEqual(self.in_german(happened, event(EventKind.DEVICE_REVOKED, text)) != text, told)

    def test_what_is_said_now(self) -> None:
        """The forecast and the reasons of devices are told, whichever it is."""
        forecasts = [foretell([(0.0, 0), (10**5, size)], 10**8)[1] for size in (0, 10**6, 10**9)] + [foretell([], 0)[1]]
        for text in (*forecasts, judge(False, None, 0, 0)[1], judge(True, 0, 1, 99)[1]):
            self.assertNotEqual(self.in_german(retold, text), text)

    @given(st.sampled_from(list(EventKind)), st.text() | st.sampled_from(PHRASES))
    def test_any_text(self, kind: EventKind, text: str) -> None:
        """Whatever a device or an older server wrote is told somehow, and in English as it is."""
        self.in_german(happened, event(kind, text))
        self.assertEqual(happened(event(kind, text)), text)

    def test_every_kind(self) -> None:
        """There are phrases for each kind of event that is written down."""
        self.assertEqual(set(EventKind) - set(EVENTS), NEVER_NOTED)

    def test_still_said(self) -> None:
        """Each phrase is one that the server or a device says: who words it anew does so here too."""
        said = "\n".join(_texts())
        for phrase in (*PHRASES, *NOTICES, *LOST, *(phrase for kind in EVENTS.values() for phrase in kind)):
            for piece in phrases.PLACE.split(phrase)[::2]:
                self.assertIn(piece.strip(), said, phrase)


class ReaderTests(WebTestCase):
    """The page of events and the API, before a reader of German."""

    async def test_programs_and_records_get_english(self) -> None:
        """Who reads German sees events in German; the API tells the same in English."""
        admin = await self.user(Role.ADMIN, "anna")
        await self.parts.users.set_preferences("anna", Preferences(language="de"))
        await self.ask("POST", "/add-udp-device", admin, form={"name": "attic"})
        await self.center.devices.revoke("attic", "anna")
        revoked = EventFilter(kind=EventKind.DEVICE_REVOKED)
        await until(self.reactor, lambda: self.center.events.recent(1, revoked), "it is not written down")
        self.assertIn("anna hat attic gesperrt", (await self.ask("GET", "/events", admin)).body.decode())
        self.assertIn("anna revoked attic", (await self.ask("GET", "/api/v1/events/log", admin)).body.decode())

    async def test_scripts_get_german(self) -> None:
        """What goes wrong is told by the API in English to programs, and in German to the scripts of a German page."""
        path = "/api/v1/devices/attic/video"
        told = {
            "there is no device named attic": await self.program(Role.ADMIN),
            "es gibt kein Gerät namens attic": await self.user(Role.ADMIN, "anna"),
        }
        await self.parts.users.set_preferences("anna", Preferences(language="de"))
        for words, visitor in told.items():
            self.assertEqual((await self.ask("GET", path, visitor)).json()["error"]["message"], words)

    async def test_forms(self) -> None:
        """What is wrong with a field is said in German."""
        admin = await self.user(Role.ADMIN, "anna")
        await self.parts.users.set_preferences("anna", Preferences(language="de"))
        answer = await self.ask("POST", "/add-udp-device", admin, form={"name": "No Name"})
        self.assertIn("Der Name eines Geräts hat bis zu 63 Buchstaben", answer.body.decode())


def _texts() -> Iterator[str]:
    """Every text in the code of the server and of devices, but for the phrases themselves."""
    for folder in (ROOT / "iotcenter", ROOT / "device"):
        for path in folder.rglob("*.py"):
            if path != Path(phrases.__file__):
                nodes = ast.walk(ast.parse(path.read_bytes()))
                yield from (
                    node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)
                )
