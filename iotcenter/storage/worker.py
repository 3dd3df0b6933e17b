"""A thread that does one thing after the other, and says on the reactor's thread what came of each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")

Task = tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]


class Worker:
    """Does what ``deferToThreadPool`` does with a pool of one thread, at a third of its cost: the inbox is written some
    hundred times a second.

    The thread begins with the first thing to do: it would keep a server that cannot run from ending.
    """

    def __init__(self, reactor: Any, name: str) -> None:
        self._reactor = reactor
        self._name = name
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._thread: Thread | None = None

    def do(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        """Call ``function``; what it returns, or why it failed."""
        done: Deferred[T] = Deferred()
        self._tasks.put((done, function, arguments))
        if self._thread is None:
            self._thread = Thread(target=self._work, name=self._name)
            self._thread.start()
        return done

    def stop(self) -> None:
        """End the thread, once it has done what it was to do. It blocks for as long as that takes."""
        if self._thread is not None:
            self._tasks.put(None)
            self._thread.join()

    def _work(self) -> None:
        with suppress(OSError):  # for whoever looks which thread is busy: the benchmarks do
            Path("/proc/thread-self/comm").write_text(self._name, "ascii")
        while (task := self._tasks.get()) is not None:
            done, function, arguments = task
            try:
                result = function(*arguments)
            except Exception:
                self._reactor.callFromThread(done.errback, Failure())
            else:
                self._reactor.callFromThread(done.callback, result)
            del task, done, function, arguments  # what was written is not kept until the next comes
