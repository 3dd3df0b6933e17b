"""Sends what devices sent, so that it can do nothing in a browser but be looked at or saved."""

from __future__ import annotations

import re
from urllib.parse import quote

from twisted.web.server import Request
from werkzeug.http import parse_range_header

from iotcenter.storage.errors import NotFound
from iotcenter.storage.file_rows import FileRow
from iotcenter.texts import _
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.headers import header
from iotcenter.web.paced import PacedWriter
from iotcenter.web.parts import Parts

POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'; form-action 'none'"
"""A picture that is opened by itself is a document without an origin, which may load and run nothing. Browsers put it
in a page of their own, with a style in it."""


async def serve_content(request: Request, parts: Parts, file: FileRow) -> None:
    """Answer ``request`` with the content of ``file``, or the part of it that is asked for (RFC 9110, section 14).
    Raises ``NotFound`` where that is gone.

    Whoever has it already is told so, after their right to it was looked at again: what browsers keep is no use to the
    next who signs in.
    """
    tag = f'"{file.digest.hex()}"'
    known = tag in (header(request, "if-none-match") or "")
    start, stop = (0, 0) if known else _asked(request, file.size, tag)
    piece = b"" if known else await parts.center.files.read(file, start)
    request.setHeader("Content-Security-Policy", POLICY)
    request.setHeader("Cache-Control", "private, no-cache")
    request.setHeader("ETag", tag)
    if known:
        request.setResponseCode(304)
        return
    request.setHeader("Content-Type", file.image or "application/octet-stream")
    request.setHeader("Content-Disposition", _disposition(file))
    request.setHeader("Accept-Ranges", "bytes")
    request.setHeader("Content-Length", str(stop - start))
    if stop - start < file.size:
        request.setResponseCode(206)
        request.setHeader("Content-Range", f"bytes {start}-{stop - 1}/{file.size}")
    sent = start
    with PacedWriter(request, parts.reactor) as writer:
        while piece:
            piece = piece[: stop - sent]
            await writer.write(piece)
            sent += len(piece)
            piece = await parts.center.files.read(file, sent) if sent < stop else b""
        if sent != stop:
            raise NotFound("The content of this file is not whole.")


def _asked(request: Request, size: int, tag: str) -> tuple[int, int]:
    """Which bytes are asked for: the first, and the one behind the last. All of them where several parts are, or one
    of another state of the file. Raises ``HTTPProblem`` where there are none such."""
    wanted = parse_range_header(header(request, "range"))
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return 0, size
    if header(request, "if-range") not in (None, tag):
        return 0, size
    found = wanted.range_for_length(size)
    if found is None:
        nothing = _("there is nothing here")
        raise HTTPProblem(416, "beyond_the_end", nothing, headers={"Content-Range": f"bytes */{size}"})
    return found


def _disposition(file: FileRow) -> str:
    """How a browser shall take it, and what to call it (RFC 6266): names beyond ASCII in the way of RFC 8187."""
    kind = "inline" if file.image is not None else "attachment"
    plain = re.sub(r'[^ !#-\[\]-~]|["\\%]', "_", file.name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name, safe='')}"
