"""Flows that go on to their end, whoever stops waiting for them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

P = ParamSpec("P")
T = TypeVar("T")

_log = Logger()


def finishing(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Deferred[T]]:
    """For what must not end half done: cancelling the Deferred that is returned ends the wait, and not the work.

    Klein cancels a route's coroutine when its browser goes away. What waits for storage would be cut off then while the
    write goes on, and memory and disk would no longer agree on who may come in.
    """

    @wraps(function)
    def started(*args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        result: Deferred[T] = Deferred()

        def failed(failure: Failure) -> None:
            if result.called:
                reason = failure.getErrorMessage()
                _log.warn("{what} failed, and nobody waits any more: {reason}", what=function.__name__, reason=reason)
            else:
                result.errback(failure)

        ensureDeferred(function(*args, **kwargs)).addCallbacks(result.callback, failed)
        return result

    return started
