"""What a file is by its first bytes, whatever its sender calls it."""

from __future__ import annotations

HEAD = 16
"""How many of the first bytes tell."""


def picture_type(head: bytes) -> str | None:
    """The media type of a picture that browsers show and that cannot hold a script; None for everything else.

    SVG is a document with scripts, and is never a picture here.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return None
