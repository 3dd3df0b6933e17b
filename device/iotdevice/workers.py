"""Threads for what would hold the reactor: the application's plain functions, and the disk."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.python.failure import Failure

T = TypeVar("T")


class Reactor(IReactorFromThreads, IReactorTime):
    """What the agent needs of Twisted's reactor: time, and a way in from threads."""


class Runs(Protocol):
    """Something that runs functions elsewhere."""

    def run(self, function: Callable[..., T], *arguments: Any, **named: Any) -> Deferred[T]:
        """Call ``function``; the Deferred fires on the reactor's thread with what came of it."""


async def call(runs: Runs, function: Callable[..., Any], **arguments: Any) -> Any:
    """What an application's function returns: an ``async`` one runs on the reactor's thread, a plain one in another, in
    the same context."""
    if inspect.iscoroutinefunction(function):
        return await function(**arguments)
    return await runs.run(copy_context().run, function, **arguments)


class _Job(NamedTuple):
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    named: dict[str, Any]
    done: Deferred[Any]


class Workers:
    """At most ``limit`` threads that take jobs in order; with one, the jobs run strictly one after the other.

    The threads are daemons: a function of the application that never returns cannot hold the process when it ends, as
    it could in Twisted's own pool. Cancelling the Deferred of a job that has not begun takes the job back; of one that
    runs, it only stops the waiting.
    """

    def __init__(self, reactor: Reactor, name: str, limit: int) -> None:
        self._reactor = reactor
        self._name = name
        self._limit = limit
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._outstanding = 0
        self._threads = 0
        self._stopped: Deferred[None] | None = None

    def run(self, function: Callable[..., T], *arguments: Any, **named: Any) -> Deferred[T]:
        """Call ``function`` in a thread. Only on the reactor's thread, and not after ``stop``."""
        done: Deferred[T] = Deferred()
        self._outstanding += 1
        if self._threads < min(self._outstanding, self._limit):
            self._threads += 1
            Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()
        self._jobs.put(_Job(function, arguments, named, done))
        return done

    async def stop(self, patience: float) -> None:
        """End the threads when they have done their jobs; those that take longer than ``patience`` seconds are left
        behind."""
        for _ in range(self._threads):
            self._jobs.put(None)
        if self._threads:
            self._stopped = Deferred()
            await self._stopped.addTimeout(patience, self._reactor, onTimeoutCancel=lambda *_: None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            result = None if job.done.called else _outcome(job)
            self._reactor.callFromThread(self._finished, job.done, result)
        self._reactor.callFromThread(self._ended)

    def _finished(self, done: Deferred[Any], result: Any) -> None:
        self._outstanding -= 1
        if not done.called:
            done.callback(result)

    def _ended(self) -> None:
        self._threads -= 1
        if self._threads == 0 and self._stopped is not None and not self._stopped.called:
            self._stopped.callback(None)


def _outcome(job: _Job) -> Any:
    """What the job's function returned, or the Failure of what it raised, ``SystemExit`` too: an application may not
    end the agent."""
    try:
        result = job.function(*job.arguments, **job.named)
        if isinstance(result, Deferred):
            raise TypeError("a function that returns a Deferred must be declared with async def")
        return result
    except BaseException:
        return Failure()
