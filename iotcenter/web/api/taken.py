"""What is common to all that the API takes; each noun's own structs stand beside its handlers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from iotcenter.identity.enrollment import MAX_LIFETIME

When = Annotated[str, Meta(max_length=40, description="Unix seconds, ISO 8601, or now-6h (s, m, h, d, w)")]
Word = Annotated[str, Meta(max_length=64)]
Password = Annotated[str, Meta(max_length=4096)]
Host = Annotated[str, Meta(min_length=1, max_length=260)]
TokenLifetime = Annotated[float, Meta(gt=0, le=MAX_LIFETIME)]


class Taken(Struct, frozen=True, forbid_unknown_fields=True):
    """The base of what is taken: a misspelt field is said to be so, instead of being ignored."""
