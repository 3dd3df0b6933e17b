"""What is kept of a secret that the server made itself."""

from __future__ import annotations

import hashlib


def digest_of(secret: str | bytes) -> bytes:
    """The SHA-256 of ``secret``, by which it is found again.

    Enough for what was drawn at random from a space too large to search; passwords need ``passwords.py``.
    """
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).digest()
