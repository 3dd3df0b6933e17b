"""Every text that people read is marked, and said in every language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from jinja2 import Environment
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.web.phrases import PHRASES
from iotcenter.web.phrases import PLACE as VALUE
from tests.translations import ROOT, SCRIPTS, Message, compiled, for_scripts, languages, marked, read, untranslated

PLACE = re.compile(r"%\((\w+)\)s|<[^>]+>")
"""What a translation has to take over from its text: the places of values, and markup."""

SPOKEN = ("aria-label", "title", "placeholder", "alt")
"""Attributes that people read."""

SILENT = ("code", "pre", "script", "style", "textarea", "svg")
"""Elements whose text is no language."""

NAMES = frozenset(["IotCenter", "HTTPS", "HTTP", "TLS", "CSV", "SHA", "SHA-256", "kitchen-pi", "greenhouse", "cam-1"])
"""What is called the same in every language."""

ATTRIBUTE = re.compile(r'[\w-]+="[^"]*"?')
"""What is left of an attribute that a macro writes."""


def said(message: Message) -> str:
    """A text, in its first form."""
    return message if isinstance(message, str) else message[0]


PROGRAMS = ("channel.py", "handlers.py", "metrics.py")
"""Where programs alone are refused: feeds, metrics, and what is not HTTP."""


class TranslationTests(SynchronousTestCase):
    """The catalogs. Whoever fails here runs ``python -m tests.translations``, and translates what it counts."""

    def test_complete(self) -> None:
        """Each marked text has a translation in each language, and nothing else has one."""
        texts = {said(message) for _, _, message in marked()}
        for code, path in languages().items():
            catalog = read(path)
            self.assertEqual({said(one.id) for one in catalog if one.id}, texts, code)  # type: ignore[arg-type]
            self.assertEqual(untranslated(catalog), [], code)

    def test_values_and_markup(self) -> None:
        """A translation has the same values and the same markup as its text, in whatever order."""
        for path in languages().values():
            for one in read(path):
                forms = one.string if isinstance(one.string, tuple | list) else [one.string]
                last = one.id if isinstance(one.id, str) else one.id[-1]
                wanted = sorted({found[0] for found in PLACE.finditer(last)})
                for form in forms[-1:] if one.id else ():
                    self.assertEqual(sorted({found[0] for found in PLACE.finditer(form or "")}), wanted, last)

    def test_made_anew(self) -> None:
        """What the server and the browser read is what the translations say."""
        in_scripts: set[Message] = {message for path, _, message in marked() if path.suffix == ".js"}
        for code, path in languages().items():
            catalog = read(path)
            self.assertEqual(path.with_suffix(".mo").read_bytes(), compiled(catalog), code)
            self.assertEqual((SCRIPTS / f"{code}.json").read_text(), for_scripts(catalog, in_scripts), code)

    def test_marked(self) -> None:
        """No template has text, or an attribute that people read, that is not marked."""
        found = {path.name: unmarked(path) for path in sorted((ROOT / "web/templates").glob("*.html"))}
        self.assertEqual({name: words for name, words in found.items() if words}, {})

    def test_in_scripts(self) -> None:
        """Each text that a script marks was found: within a template string it would not be."""
        texts = {said(message) for path, _, message in marked() if path.suffix == ".js"}
        for path in sorted((ROOT / "web/static").glob("*.js")):
            for found in re.findall(r'\b_\("((?:[^"\\]|\\.)*)"', path.read_text()):
                self.assertIn(found, texts, path.name)

    def test_refusals(self) -> None:
        """Whatever the web refuses is told in words that are marked, but for what programs alone are told."""
        phrases = {VALUE.sub("", phrase) for phrase in PHRASES}
        for path in sorted((ROOT / "iotcenter/web").rglob("*.py")):
            if path.name not in PROGRAMS:
                for words in refusals(path):
                    self.assertIn(words, phrases, path.name)

    def test_the_check_sees(self) -> None:
        """What is not marked is found, in text and in attributes, and what is marked is not."""
        path = Path(self.mktemp())
        path.write_text(
            '<p title="Not this">{{ _("This") }} <b>nor</b> {% trans %}that{% endtrans %}</p><code>x y</code>'
        )
        self.assertEqual(unmarked(path), ["Not this", "nor"])


def refusals(path: Path) -> Iterator[str]:
    """The texts that a module gives ``HTTPProblem`` as they stand, without their values."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "HTTPProblem":
            for words in node.args[2:3]:
                if isinstance(words, ast.JoinedStr):
                    yield "".join(str(part.value) for part in words.values if isinstance(part, ast.Constant))
                if isinstance(words, ast.Constant):
                    yield str(words.value)


def unmarked(path: Path) -> list[str]:
    """The words of a template that stand in it as they are."""
    reader = _Reader()
    reader.feed(_bare(path.read_text()))
    reader.close()
    return [text for text in reader.texts if set(re.findall(r"[^\W\d_][\w-]+", text)) - NAMES]


def _bare(source: str) -> str:
    """A template without its expressions and without what is marked by ``trans``."""
    bare, depth, block = [], 0, False
    for _, kind, value in Environment(extensions=["jinja2.ext.i18n"]).lex(source):
        if kind == "block_begin":
            block = True
        elif kind == "name" and block:
            depth += {"trans": 1, "endtrans": -1}.get(value, 0)
        block = block and kind in ("block_begin", "whitespace")
        if kind == "data" and not depth:
            bare.append(value)
    return "".join(bare)


class _Reader(HTMLParser):
    """Gathers what people read of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.texts += [value for name, value in attrs if name in SPOKEN and value]
        if tag in SILENT:
            self._silent.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        """Some text."""
        text = ATTRIBUTE.sub("", data).strip()
        if text and not self._silent:
            self.texts.append(text)
