"""Reads the headers of requests: any bytes that a peer may send give text, never an error."""

from __future__ import annotations

from twisted.web.server import Request

from iotcenter.web.peers import address_of


def headers(request: Request, name: str) -> list[str]:
    """The values of all headers of that name. Bytes beyond ASCII become the Latin letters of the same number."""
    values = request.requestHeaders.getRawHeaders(name.encode("ascii")) or []
    return [str(value, "latin-1") for value in values]


def header(request: Request, name: str) -> str | None:
    """The value of the last header of that name."""
    values = headers(request, name)
    return values[-1] if values else None


def peer(request: Request) -> str:
    """The address that a request came from, for the log and for limits; ``local`` over the control socket."""
    return address_of(request.getClientAddress())
