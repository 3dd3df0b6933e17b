"""Work that goes on though the one who asked for it has gone."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


def owned(work: Coroutine[Any, Any, T]) -> Deferred[T]:
    """Run ``work`` to its end. Cancelling the Deferred only stops the waiting.

    A browser that goes away cancels the coroutine of its request; what that request has set in motion must not stop
    half-way.
    """
    waiter: Deferred[T] = Deferred()

    def succeed(result: T) -> None:
        if not waiter.called:
            waiter.callback(result)

    def fail(failure: Failure) -> None:
        if not waiter.called:
            waiter.errback(failure)

    Deferred.fromCoroutine(work).addCallbacks(succeed, fail)
    return waiter
