"""The enrollment token: the one string that a new device needs."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

import msgspec
from msgspec import Meta

from iotcenter.wire.errors import WireError

PREFIX = "iot1_"
"""Marks a token, and the version of its form."""

MAX_LENGTH = 512
"""The longest token that is looked at: an address of 253 characters fits."""


class Token(msgspec.Struct, frozen=True, array_like=True):
    """Where the server is, how to know that it is the right one, and the one-time secret that it will know the device
    by.

    ``fingerprint`` is the SHA-256 of the root certificate's DER form.
    """

    host: Annotated[str, Meta(min_length=1, max_length=253)]
    port: Annotated[int, Meta(ge=1, le=65535)]
    fingerprint: Annotated[bytes, Meta(min_length=32, max_length=32)]
    secret: Annotated[bytes, Meta(min_length=16, max_length=16)]

    def __repr__(self) -> str:
        return f"Token(host={self.host!r}, port={self.port})"

    def text(self) -> str:
        """The token as people paste it: letters, digits, ``-`` and ``_``."""
        return PREFIX + base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).rstrip(b"=").decode()


def parse_token(text: str) -> Token:
    """The token in ``text``; white space around it is ignored. Raises ``WireError`` where it is none."""
    text = text.strip()
    if not text.startswith(PREFIX) or len(text) > MAX_LENGTH:
        raise WireError(f"that is not an enrollment token: one starts with {PREFIX}")
    body = text.removeprefix(PREFIX)
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        return msgspec.msgpack.decode(raw, type=Token)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        raise WireError("the enrollment token is damaged: copy the whole line again") from None
