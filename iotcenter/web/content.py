"""Sends what devices sent, so that it can do nothing in a browser but be looked at or saved."""

from __future__ import annotations

import re
from urllib.parse import quote

from twisted.web.server import Request

from iotcenter.storage.errors import NotFound
from iotcenter.storage.file_rows import FileRow
from iotcenter.web.headers import header
from iotcenter.web.paced import PacedWriter
from iotcenter.web.parts import Parts

POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'; form-action 'none'"
"""A picture that is opened by itself is a document without an origin, which may load and run nothing. Browsers put it
in a page of their own, with a style in it."""


async def serve_content(request: Request, parts: Parts, file: FileRow) -> None:
    """Answer ``request`` with the content of ``file``. Raises ``NotFound`` where that is gone.

    Whoever has it already is told so, after their right to it was looked at again: what browsers keep is no use to the
    next who signs in.
    """
    tag = f'"{file.digest.hex()}"'
    known = tag in (header(request, "if-none-match") or "")
    piece = b"" if known else await parts.center.files.read(file, 0)
    request.setHeader("Content-Security-Policy", POLICY)
    request.setHeader("Cache-Control", "private, no-cache")
    request.setHeader("ETag", tag)
    if known:
        request.setResponseCode(304)
        return
    request.setHeader("Content-Type", file.image or "application/octet-stream")
    request.setHeader("Content-Disposition", _disposition(file))
    request.setHeader("Content-Length", str(file.size))
    sent = 0
    with PacedWriter(request, parts.reactor) as writer:
        while piece:
            await writer.write(piece)
            sent += len(piece)
            piece = await parts.center.files.read(file, sent) if sent < file.size else b""
        if sent != file.size:
            raise NotFound("The content of this file is not whole.")


def _disposition(file: FileRow) -> str:
    """How a browser shall take it, and what to call it (RFC 6266): names beyond ASCII in the way of RFC 8187."""
    kind = "inline" if file.image is not None else "attachment"
    plain = re.sub(r'[^ !#-\[\]-~]|["\\%]', "_", file.name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name, safe='')}"
