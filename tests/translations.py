"""Collects the texts for people into ``web/locale``, and makes of their translations what server and browser read.

Run it after changing a text: ``python -m tests.translations``. It adds what is new to each language's ``.po``, without
a translation, drops what is gone, and writes the ``.mo`` and the ``.json`` beside them anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
LOCALE = ROOT / "web/locale"
SCRIPTS = ROOT / "web/static/locale"

KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
"""What marks a text."""

SOURCES = (
    ("python", "iotcenter", "**/*.py"),
    ("jinja2.ext:babel_extract", "web/templates", "*.html"),
    ("javascript", "web/static", "*.js"),
)

OPTIONS = {"trimmed": "true", "newstyle_gettext": "true", "silent": "false", "encoding": "utf-8"}

Message = str | tuple[str, ...]


def marked() -> Iterator[tuple[Path, int, Message]]:
    """Every marked text, with the file and the line that it stands in."""
    for method, folder, pattern in SOURCES:
        for path in sorted((ROOT / folder).glob(pattern)):
            with path.open("rb") as file:
                for line, message, _, _ in extract(method, file, KEYWORDS, options=OPTIONS):
                    yield path, line, message


def languages() -> dict[str, Path]:
    """The translations, by language."""
    return {path.stem: path for path in sorted(LOCALE.glob("*.po"))}


def read(path: Path) -> Catalog:
    """The catalog in a ``.po`` file."""
    with path.open("rb") as file:
        return read_po(file, locale=path.stem)


def compiled(catalog: Catalog) -> bytes:
    """What the server reads."""
    buffer = BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def for_scripts(catalog: Catalog, texts: set[Message]) -> str:
    """What the browser reads: the texts of scripts alone."""
    said = {text: catalog[text].string for text in sorted(text for text in texts if isinstance(text, str))}
    return json.dumps({text: string for text, string in said.items() if string}, ensure_ascii=False, indent=0) + "\n"


def update() -> None:
    """Bring every language up to date with the sources."""
    template = Catalog()
    in_scripts: set[Message] = set()
    for path, _, message in marked():
        template.add(message)
        if path.suffix == ".js":
            in_scripts.add(message)
    SCRIPTS.mkdir(exist_ok=True)
    for code, path in languages().items():
        catalog = read(path)
        template.creation_date = catalog.creation_date  # so that a file changes only with its texts
        catalog.update(template, no_fuzzy_matching=True)
        catalog.obsolete.clear()
        with path.open("wb") as file:
            write_po(file, catalog, width=120, no_location=True, sort_output=True, omit_header=False)
        path.with_suffix(".mo").write_bytes(compiled(catalog))
        (SCRIPTS / f"{code}.json").write_text(for_scripts(catalog, in_scripts))
        missing = len(untranslated(catalog))
        print(f"{code}: {len(catalog)} texts, {missing} without a translation")


def untranslated(catalog: Catalog) -> list[Message]:
    """The texts of a catalog that have no translation."""
    return [message.id for message in catalog if message.id and not all_said(message.string)]  # type: ignore[misc]


def all_said(string: Any) -> bool:
    """Whether a translation has text in all its forms."""
    return all(string) if isinstance(string, tuple | list) else bool(string)


if __name__ == "__main__":
    update()
