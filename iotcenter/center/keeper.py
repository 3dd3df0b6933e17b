"""Writes of which only the newest matters: what a device offers, when it was last seen."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from iotcenter.logs import LogLimit

Write = Callable[[], Deferred[Any]]


class Keeper:
    """Has one write of each key under way; of those that come meanwhile only the last follows it.

    So a device that changes its mind all the time costs no more than one write at a time, and what is kept in the end
    is what it said last. A write that fails is logged: the next one makes good for it.
    """

    log = Logger()

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._limit = LogLimit(seconds)
        self._next: dict[Hashable, Write | None] = {}

    def keep(self, key: Hashable, write: Write) -> None:
        """Have ``write`` done, now or when the one of the same key that is under way has ended."""
        if key in self._next:
            self._next[key] = write
            return
        self._next[key] = None
        write().addErrback(self._failed).addCallback(self._ended, key)

    def _ended(self, _: Any, key: Hashable) -> None:
        write = self._next.pop(key)
        if write is not None:
            self.keep(key, write)

    def _failed(self, failure: Failure) -> None:
        if self._limit.allow():
            self.log.warn("What is known of a device could not be kept: {why}", why=failure.getErrorMessage())
