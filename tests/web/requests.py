"""Requests that came over no connection, for what reads them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.web.test.requesthelper import DummyChannel, DummyRequest

FORM = "application/x-www-form-urlencoded"


def request(body: bytes = b"", media: str = "", query: bytes = b"") -> Any:
    """A request with a body of a type, and a query."""
    made: Any = DummyRequest([b""])
    made.channel = DummyChannel()
    made.uri = b"/?" + query
    made.content = BytesIO(body)
    if media:
        made.requestHeaders.setRawHeaders("content-type", [media])
    return made
