"""The languages in which the pages can be read, and which of them somebody gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from gettext import GNUTranslations, NullTranslations
from io import BytesIO

from iotcenter.texts import ENGLISH


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

    def choose(self, preferred: str, asked: Iterable[str]) -> NullTranslations:
        """The catalog of the language that somebody prefers; without a preference, the first that their browser asks
        for and that there is, whatever its country."""
        wanted = (preferred, *(tag.partition("-")[0].lower() for tag in asked))
        code = next((code for code in wanted if code in self.codes), "en")
        return self.catalogs.get(code, ENGLISH)
