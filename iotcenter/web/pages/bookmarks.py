"""Addresses of pages that say all that is shown, so that any view can be kept as a bookmark and given to others."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from msgspec import Struct


def bookmark(path: str, query: Struct, **changes: object) -> str:
    """The address at ``path`` of what ``query`` asks for, with ``changes`` to its fields. What is usual is left out."""
    fields = msgspec.to_builtins(msgspec.structs.replace(query, **changes))
    usual = msgspec.to_builtins(type(query)())
    said = {name: value for name, value in fields.items() if value != usual[name]}
    return path + ("?" + urlencode(said, doseq=True) if said else "")
