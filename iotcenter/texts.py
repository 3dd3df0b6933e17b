"""Texts for people, in the language of whoever asks.

English is the source: it stands in the code, marked by ``_`` so that ``tests/translations.py`` finds it, and is what
everybody reads who has no translation. Programs, logs and records get English always.
"""

from __future__ import annotations

from contextvars import ContextVar
from gettext import NullTranslations

ENGLISH = NullTranslations()

# Each request runs in a context of its own, which its coroutines share, so that two readers never mix.
_catalog: ContextVar[NullTranslations] = ContextVar("catalog", default=ENGLISH)


def speak(catalog: NullTranslations) -> None:
    """From here on, in this request, texts come from ``catalog``."""
    _catalog.set(catalog)


def language() -> str:
    """What is spoken here, as browsers write it: ``en``, ``de``."""
    return _catalog.get().info().get("language", "en")


def _(text: str, **values: object) -> str:
    """``text`` in the reader's language, with ``values`` in the places of its ``%(name)s``."""
    said = _catalog.get().gettext(text)
    return said % values if values else said


def ngettext(one: str, many: str, count: int, **values: object) -> str:
    """``one`` or ``many``, as the reader's language has it for ``count``, which stands at ``%(num)s``."""
    return _catalog.get().ngettext(one, many, count) % {"num": count, **values}


def N_(text: str) -> str:
    """Marks a text that is kept in a constant. Whoever shows it translates it then."""
    return text


def gettext(text: str) -> str:
    """``text`` in the reader's language, as Jinja's extension asks for it."""
    return _catalog.get().gettext(text) if text else text  # for nothing a catalog gives its own header


def plural(one: str, many: str, count: int) -> str:
    """``one`` or ``many`` in the reader's language, as Jinja's extension asks for it."""
    return _catalog.get().ngettext(one, many, count)
