"""Answers in gzip: over a slow link a page is there in a tenth of the time."""

from __future__ import annotations

import zlib
from functools import cached_property

from twisted.web.server import Request

from iotcenter.web.doors import Door
from iotcenter.web.headers import header

LEVEL = 3
"""How hard zlib tries: a page of 150 kB takes it a millisecond, and more effort would make it hardly smaller."""

LEAST = 1024
"""Bytes below which an answer is one packet anyway."""

OWN = ("same-origin", "none")
"""Who asks, in the words of Fetch Metadata: a page of this server, or somebody who typed its address."""

GZIP_HEADER = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255))
"""What a stream in gzip begins with (RFC 1952, section 2.3): deflate, no name, no time, an unknown system."""


def takes_gzip(request: Request) -> bool:
    """Whether whoever asks can read gzip."""
    return "gzip" in (header(request, "accept-encoding") or "")


def may_pack(request: Request, door: Door) -> bool:
    """Whether the answer to ``request`` may be compressed.

    Not where another site had a part in the request: in TLS, the size of what is compressed tells of secrets in it to
    those who can put text of their own beside them, and watch (BREACH). A browser that does not say who asks is
    believed where it came without TLS: there is nothing to guess. Behind a proxy that speaks TLS it does say so.
    """
    site = header(request, "sec-fetch-site")
    return takes_gzip(request) and (site in OWN or (site is None and door is not Door.HTTPS))


def pack(body: bytes) -> bytes:
    """``body`` in gzip."""
    return zlib.compress(body, LEVEL, 16 + zlib.MAX_WBITS)


class Packable:
    """A piece of a stream, as it is and compressed. It is made once for all streams that it is for: what is compressed
    refers to nothing before it, so that it fits into each."""

    def __init__(self, plain: bytes) -> None:
        self.plain = plain

    @cached_property
    def packed(self) -> bytes:
        """The same as blocks of deflate, which end at a byte, after ``GZIP_HEADER`` and any others."""
        packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        return packer.compress(self.plain) + packer.flush(zlib.Z_SYNC_FLUSH)
