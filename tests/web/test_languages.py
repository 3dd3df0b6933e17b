"""In which language the pages answer."""

from __future__ import annotations

from gettext import GNUTranslations
from io import BytesIO

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.model import Preferences, Role
from iotcenter.texts import N_, _, language, ngettext, speak
from iotcenter.web.clocks import LONGEST, MOST, asked_languages
from iotcenter.web.languages import Languages
from tests.web.requests import request
from tests.web.support import NOBODY, WebTestCase

KEY = N_("Password")


def german() -> GNUTranslations:
    """A small catalog."""
    catalog = Catalog(locale="de")
    catalog.add("Password", "Passwort")
    catalog.add("%(name)s is here", "%(name)s ist da")
    catalog.add(("%(num)s value", "%(num)s values"), ("%(num)s Wert", "%(num)s Werte"))
    buffer = BytesIO()
    write_mo(buffer, catalog)
    buffer.seek(0)
    return GNUTranslations(buffer)


class TextTests(SynchronousTestCase):
    """``iotcenter.texts``."""

    def test_english_without_a_catalog(self) -> None:
        """Where nobody chose a language, texts are what stands in the code."""
        self.assertEqual((_(KEY), language()), ("Password", "en"))
        self.assertEqual(_("%(name)s is here", name="attic"), "attic is here")

    def test_each_reader_has_their_own(self) -> None:
        """Two requests that take turns are each answered in their reader's language."""
        said: dict[str, list[str]] = {"de": [], "en": []}

        turns: dict[str, list[Deferred[None]]] = {code: [Deferred(), Deferred()] for code in said}

        async def answer(code: str) -> None:
            if code == "de":
                speak(german())
            for count, turn in enumerate(turns[code], 1):
                await turn
                said[code].append(ngettext("%(num)s value", "%(num)s values", count))

        for code in said:
            ensureDeferred(answer(code))
        for place in (0, 1):
            for code in said:
                turns[code][place].callback(None)
        self.assertEqual(said, {"de": ["1 Wert", "2 Werte"], "en": ["1 value", "2 values"]})


class ChoiceTests(SynchronousTestCase):
    """``Languages.choose``."""

    def code(self, preferred: str, *asked: str) -> str:
        """The language that somebody gets."""
        return str(Languages({"de": german()}).choose(preferred, asked).info().get("language", "en"))

    def test_preference_wins(self) -> None:
        """What a user chose counts more than what their browser asks for."""
        self.assertEqual(self.code("en", "de"), "en")
        self.assertEqual(self.code("de", "en"), "de")

    def test_browser_decides_without_one(self) -> None:
        """Without a preference, or with one that there is no catalog for, the browser's order counts."""
        for asked, code in (
            (["de"], "de"),
            (["de-AT", "de", "en"], "de"),
            (["DE-ch", "en"], "de"),
            (["fr", "en", "de"], "en"),
            (["fr"], "en"),
            ([], "en"),
        ):
            self.assertEqual(self.code("", *asked), code, asked)
        self.assertEqual(self.code("tlh", "de"), "de")


class AskedTests(SynchronousTestCase):
    """What browsers ask for."""

    def asked(self, *values: str) -> tuple[str, ...]:
        """The languages in the headers of a request."""
        made = request()
        made.requestHeaders.setRawHeaders("accept-language", values)
        return asked_languages(made)

    def test_best_first(self) -> None:
        """They come in the order of their qualities, whatever the order of the headers; what is not wanted does not."""
        self.assertEqual(self.asked("en;q=0.5, fr;q=0", "de-AT"), ("de-AT", "en"))

    def test_bounds(self) -> None:
        """Nobody is made to read more than a browser of people sends."""
        self.assertEqual(self.asked("fr;q=0.1," + " " * LONGEST + "de"), ("fr",))
        self.assertEqual(len(self.asked(",".join(f"x{number}" for number in range(MOST + 1)))), MOST)


class PageTests(WebTestCase):
    """Pages before anybody signed in."""

    async def test_accepted_language(self) -> None:
        """The page to sign in speaks the language that the browser accepts, and says which it is."""
        await self.user(Role.VIEWER)
        for accepted, lang, word in (("de-CH, en;q=0.5", "de", "Passwort"), ("en", "en", "Password")):
            answer = await self.ask("GET", "/sign-in", NOBODY, headers={"Accept-Language": accepted})
            self.assertIn(f'<html lang="{lang}"', answer.body.decode())
            self.assertIn(f">{word}</label>", answer.body.decode())

    async def test_own_choice(self) -> None:
        """Who chose a language reads it, whatever browser they sit at; a page that fails speaks it too."""
        viewer = await self.user(Role.VIEWER)
        await self.parts.users.set_preferences("viewer", Preferences(language="de"))
        for path, words in (("/", "Übersicht"), ("/devices/nowhere", "Nicht gefunden"), ("/add-device", "Betrachter")):
            answer = await self.ask("GET", path, viewer, headers={"Accept-Language": "en"})
            self.assertIn('<html lang="de"', answer.body.decode(), path)
            self.assertIn(words, answer.body.decode(), path)

    async def test_programs_get_english(self) -> None:
        """The API answers in English, whatever its client accepts."""
        answer = await self.ask("GET", "/api/v1/devices", NOBODY, headers={"Accept-Language": "de"})
        self.assertIn(b"sign in first", answer.body)
