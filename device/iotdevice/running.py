"""One flow of a command line tool, in a reactor's run of its own."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet import task
from twisted.internet.defer import Deferred

T = TypeVar("T")


def run_with_reactor(flow: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    """What ``flow(reactor)`` returns or raises. Once in a process: a reactor runs once. Ctrl+C is
    ``KeyboardInterrupt``, unless the flow came to its end all the same."""
    results: list[T] = []
    errors: list[Exception] = []

    async def run(reactor: Any) -> None:
        try:
            results.append(await flow(reactor))
        except Exception as error:
            errors.append(error)

    try:
        task.react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    except SystemExit as end:
        if end.code:
            raise
    if errors:
        raise errors[0]
    if not results:
        raise KeyboardInterrupt
    return results[0]
