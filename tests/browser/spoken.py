"""A made-up language, in which every text that is marked for translation is, and nothing else: what is left in English
on a page was forgotten, or is data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from gettext import NullTranslations

from playwright.sync_api import Page

from iotcenter.model import CommandOffer
from iotcenter.web.assets import Asset, Assets
from iotcenter.web.languages import Languages
from tests.browser.devices import EVERYTHING, IDENTIFY, REBOOT, RELAY, SERIES
from tests.browser.population import LINES, MACHINE, NAMES
from tests.translations import LOCALE, read

WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in (*range(65, 91), *range(97, 123))})
"""The letters of that language: full-width forms of ours, which have small and capital ones too."""

SAID = re.compile("[\uff21-\uff5a]+|·")
"""What parts the data in a text."""

KEPT = re.compile(r"(%\(\w+\)s|<[^>]*>|&\w+;)")
"""What is no text: the places of values, and markup."""

TEXTS = """() => {
  const silent = `code, pre, script, style, noscript, textarea, optgroup, [lang=en],
    .api-method, .chart-bound, .log-text, .sent-result`;
  const found = [document.title];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    if (!walker.currentNode.parentElement.closest(silent)) found.push(walker.currentNode.data);
  }
  for (const name of ["aria-label", "title", "placeholder", "alt"]) {
    for (const one of document.body.querySelectorAll(`[${name}]`)) {
      if (!one.closest("[lang=en]")) found.push(one.getAttribute(name));
    }
  }
  return found;
}"""
"""All that a page has people read, seen or heard. What is said to be English, or code, is left out, and so are the
names of time zones and what devices wrote."""

OWN = (
    *("IotCenter", "CSV", "HTTP", "HTTPS", "PNG", "REGISTRAR", "SHA-256", "SSH", "TLS", "UDP", "URL", "UTC"),
    *("Deutsch", "English"),
)
"""What is called the same in every language."""

SYMBOLS = ("kB", "MB", "GB", "dBm", "lx", "min", "now")
"""Units, and what is typed as it stands."""

GIVEN = (
    *("anna", "ben", "token garden"),
    *("kitchen-pi", "shed", "counter", "balcony", "nowhere", "attik", "kitchenpi", "cam-1"),
    *("everything", "identify", "nothing", "reboot", "relay"),
)
"""What people and commands are called, and devices that are made later, sought or offered as examples."""

SHAPED = re.compile(
    r"~/\S+|https?://\S+|\b[A-Z]\w+/[A-Z]\w+\b|\b[\w-]+\.(?:png|txt|pub|x)\b|\b(?:image|text)/\w+"
    r"|\bnow-\d\w\b|\bssh-ed25519\b|\biotdevice/\S+(?: Linux \S+ \w+)?"
    r"|\b(?:chip|camera)-[0-9a-f]{8}\b|\bgraphs \d+|\b[Pp]age:|\b(?:int|str)\b"
)
"""Paths, addresses, zones, files, times as they are typed, kinds of keys, agents, names with chance in them, and the
field of an address with its kind."""


class MadeUpLanguage(NullTranslations):
    """The catalog."""

    def __init__(self) -> None:
        super().__init__()
        ids = (one.id for one in read(LOCALE / "de.po") if one.id)
        self._texts = {text: wide(text) for id in ids for text in ((id,) if isinstance(id, str) else id)}

    def info(self) -> dict[str, str]:
        """It stands in the place of German."""
        return {"language": "de"}

    def gettext(self, message: str) -> str:
        return self._texts.get(message, message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


def wide(text: str) -> str:
    """``text`` in that language."""
    return "".join(part if place % 2 else part.translate(WIDE) for place, part in enumerate(KEPT.split(text)))


def in_made_up_language(assets: Assets) -> Assets:
    """The same files, for a server that speaks it to those who read German."""
    texts = {text: wide(text) for text in json.loads(assets.files["locale/de.json"].content)}
    files = {**assets.files, "locale/de.json": Asset("application/json", json.dumps(texts).encode(), b"")}
    return replace(assets, files=files, languages=Languages({"de": MadeUpLanguage()}))


def left_in_english(page: Page) -> list[str]:
    """The texts of a page with words that are neither in that language nor data."""
    texts = {" ".join(text.split()) for text in page.evaluate(TEXTS)}
    return sorted(text for text in texts if not _said(text))


def _said(text: str) -> bool:
    """Whether all of a text is said in that language, or data."""
    if text.strip(".") in LABELS:
        return True
    parts = SAID.split(KNOWN.sub("", SHAPED.sub("", text)))
    return all(_is_data(part.strip(" ,:.…()")) for part in parts)


def _is_data(part: str) -> bool:
    return part in LABELS or re.search(r"[A-Za-z]{2}", part) is None


def _labels(offers: Iterable[CommandOffer]) -> Iterator[str]:
    """What devices call their commands, and say of them."""
    for offer in offers:
        yield from (offer.name, offer.label, offer.help)
        for argument in offer.arguments:
            yield from (argument.name, argument.label, argument.help, *argument.choices)


LABELS = frozenset(
    text.strip(".")
    for text in (
        *(one.label for one in (*SERIES, *MACHINE)),
        *(one.name for one in (*SERIES, *MACHINE)),
        *_labels((IDENTIFY, RELAY, EVERYTHING, REBOOT)),
        *(text for _, text in LINES),
        *("Rate", "open", "RuntimeError: no sensor on the bus", "The pump does not answer: check its fuse"),
    )
)
"""What stands by itself: it could be taken for a word of ours where it does not."""

NAMED = sorted((*NAMES, *OWN, *SYMBOLS, *GIVEN), key=len, reverse=True)
"""What may stand anywhere."""

KNOWN = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, NAMED))})(?![\w-])")
