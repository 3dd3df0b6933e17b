"""From the application's threads to the agent, without an unbounded queue between them."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Holds what any thread posts until its one owner takes it; what comes when ``limit`` items wait is dropped, and
    counted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = Lock()
        self._items: list[T] = []
        self._dropped = 0
        self._wake: Callable[[], None] | None = None
        self._woken = False

    def post(self, item: T) -> bool:
        """Leave ``item`` for the owner; whether there was room. From any thread; never blocks."""
        with self._lock:
            if len(self._items) >= self._limit:
                self._dropped += 1
                return False
            self._items.append(item)
            wake = None if self._woken else self._wake
            self._woken = True
        if wake is not None:
            wake()
        return True

    def take(self) -> tuple[list[T], int]:
        """All that waits, oldest first, and how many were dropped since the last time."""
        with self._lock:
            taken, self._items = self._items, []
            dropped, self._dropped = self._dropped, 0
            self._woken = False
        return taken, dropped

    def open(self, wake: Callable[[], None]) -> None:
        """Call ``wake``, on the posting thread, when something came into the empty box; now, if something waits
        already."""
        with self._lock:
            self._wake = wake
            self._woken = True
        wake()
