"""The languages in which the pages can be read, and which of them somebody gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from gettext import GNUTranslations, NullTranslations
from io import BytesIO

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from iotcenter.texts import ENGLISH

MAX_ACCEPTED = 200
"""The longest Accept-Language that is looked at: browsers send some 50 characters."""


@dataclass(frozen=True)
class Languages:
    """Every language that there is a catalog for, by its code; English needs none."""

    catalogs: Mapping[str, NullTranslations] = field(default_factory=dict)

    @classmethod
    def read(cls, compiled: Mapping[str, bytes]) -> Languages:
        """The catalogs out of their ``.mo`` files, by language."""
        return cls({code: GNUTranslations(BytesIO(content)) for code, content in sorted(compiled.items())})

    @property
    def codes(self) -> tuple[str, ...]:
        """What people may choose from."""
        return ("en", *self.catalogs)

    def choose(self, preferred: str, accepted: str | None) -> NullTranslations:
        """The catalog of the language that somebody prefers; without a preference, as their browser accepts."""
        code = preferred if preferred in self.codes else self._accepted(accepted or "")
        return self.catalogs.get(code, ENGLISH)

    def _accepted(self, header: str) -> str:
        """The first language of an Accept-Language header that there is, whatever its country; English for none."""
        wanted = parse_accept_header(header[:MAX_ACCEPTED], LanguageAccept)
        spoken = (language.partition("-")[0].lower() for language, quality in wanted if quality > 0)
        return next((code for code in spoken if code in self.codes), "en")
