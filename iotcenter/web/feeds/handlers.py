"""Serves the feeds."""

from __future__ import annotations

import hashlib
import uuid

from msgspec import Struct
from twisted.web.server import Request

from iotcenter.model import Role
from iotcenter.web.addresses import Addresses
from iotcenter.web.doors import Door
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.feeds.entries import MOST_EVENTS, Feed, of_devices, of_events
from iotcenter.web.guard import stream
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal, find_principal, principal_of_token

ATOM = "application/atom+xml; charset=utf-8"
RSS = "application/rss+xml; charset=utf-8"


class FeedQuery(Struct, frozen=True):
    """``token`` is an API token, since feed readers cannot send a header."""

    token: str = ""


class FeedHandlers:
    """What devices measure and, for operators, what happened. A reader that asks again gets only what is new."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._addresses = Addresses(parts)
        self._server = uuid.UUID(bytes=parts.authority.fingerprint[:16])

    @stream("/feed.atom", role=None, media=ATOM)
    async def atom(self, request: Request, principal: None, query: FeedQuery, door: Door) -> None:
        """The feed as Atom."""
        from iotcenter.web.feeds.formats import atom  # the library for XML is not loaded before somebody wants it

        _answer(request, atom(await self._feed(request, query, door, "/feed.atom")))

    @stream("/rss", role=None, media=RSS)
    async def rss(self, request: Request, principal: None, query: FeedQuery, door: Door) -> None:
        """The feed as RSS."""
        from iotcenter.web.feeds.formats import rss

        _answer(request, rss(await self._feed(request, query, door, "/rss")))

    async def _feed(self, request: Request, query: FeedQuery, door: Door, path: str) -> Feed:
        who, address = await self._reader(request, query, door), self._addresses.web(request, door)
        entries = of_devices(self._parts.center.devices.all(), address, who.preferences.units)
        if who.role.covers(Role.OPERATOR):
            entries += of_events(await self._parts.center.events.recent(MOST_EVENTS), address, self._server)
        return Feed(self._server.urn, "IotCenter", address, path, tuple(entries))

    async def _reader(self, request: Request, query: FeedQuery, door: Door) -> Principal:
        """Who asks: by the token in the address, or as anywhere. Raises ``HTTPProblem``.

        Addresses end up in the histories and logs of others: an admin's token is not taken from there.
        """
        if not query.token:
            who = await find_principal(request, self._parts, door)
            if who is None:
                raise HTTPProblem(401, "not_signed_in", "a feed needs an API token: /feed.atom?token=...")
            return who
        who = await principal_of_token(query.token, self._parts)
        if who.role is Role.ADMIN:
            raise HTTPProblem(403, "role", "a feed takes no admin's token: make one for a viewer")
        return who


def _answer(request: Request, content: bytes) -> None:
    request.setHeader("Cache-Control", "private, no-cache")
    request.setHeader("Referrer-Policy", "no-referrer")
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'.encode()
    if request.setETag(tag) is None:
        request.setHeader("Content-Length", str(len(content)))
        request.write(content)
