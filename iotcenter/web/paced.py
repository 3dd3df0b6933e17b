"""Writes an answer of any length no faster than its reader takes it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.web.server import Request
from zope.interface import implementer

from iotcenter.web.channel import cut

PATIENCE = 60.0
"""Seconds after which a reader that takes nothing is given up."""


@implementer(IPushProducer)
class PacedWriter:
    """Writes to ``request``, and waits while the transport is full. To be used in a ``with`` statement."""

    def __init__(self, request: Request, reactor: Any) -> None:
        self._request = request
        self._reactor = reactor
        self._waiter: Deferred[None] | None = None
        self._timer: Any = None
        self._paused = False

    def __enter__(self) -> PacedWriter:
        self._request.registerProducer(self, True)
        return self

    def __exit__(self, *_: object) -> None:
        self._resume()
        if self._request.channel is not None:  # as it is once the connection is gone
            self._request.unregisterProducer()

    async def write(self, data: bytes) -> None:
        """Write ``data``; returns when there is room for more."""
        self._request.write(data)
        if self._paused:
            self._waiter = Deferred()
            await self._waiter

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._paused = True
        if self._timer is None:
            self._timer = self._reactor.callLater(PATIENCE, self._give_up)

    def resumeProducing(self) -> None:
        """The transport has room."""
        self._resume()

    def stopProducing(self) -> None:
        """The connection is gone; the request's handler is cancelled, and sees to the rest."""

    def _resume(self) -> None:
        self._paused = False
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.called:
            waiter.callback(None)

    def _give_up(self) -> None:
        self._timer = None
        cut(self._request)
