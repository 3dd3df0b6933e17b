"""Addresses of views."""

from __future__ import annotations

from msgspec import Struct
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.web.pages.bookmarks import bookmark


class Query(Struct, frozen=True, rename={"start": "from"}):
    """What a page shows."""

    s: tuple[str, ...] = ()
    start: str = "now-24h"
    before: int | None = None


class BookmarkTests(SynchronousTestCase):
    """A view is told by its address."""

    def test_usual(self) -> None:
        """The usual view has the plain address."""
        self.assertEqual(bookmark("/charts", Query()), "/charts")

    def test_what_is_chosen(self) -> None:
        """What somebody chose stands in it, by the name that the address has for it."""
        query = Query(s=("a.b", "c.d e"), start="now-6h")
        self.assertEqual(bookmark("/charts", query), "/charts?s=a.b&s=c.d+e&from=now-6h")

    def test_changes(self) -> None:
        """A link changes what it is for, and takes away what becomes usual again."""
        query = Query(s=("a.b",), start="now-6h", before=7)
        self.assertEqual(bookmark("/charts", query, start="now-24h", before=None), "/charts?s=a.b")
