"""Real programs that tests and benchmarks start, listen to, and end."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from inspect import isawaitable
from pathlib import Path
from signal import SIGKILL, Signals
from typing import Any, TypeVar, overload

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

T = TypeVar("T")

Words = str | Callable[[], object]
"""What to say of something, or what finds that out when it is to be said."""

ROOT = Path(__file__).parent.parent

MAX_OUTPUT = 10_000_000
"""How many characters of a program's output are kept: one that says more than this has gone wrong."""

LOOK_EVERY = 0.02
"""Seconds between two looks at what cannot tell by itself that it has come about."""


class Overdue(AssertionError):
    """Something did not come about in time."""


class Program(ProcessProtocol):
    """A program that runs. ``ended`` fires with its exit status, or with the negative number of the signal that killed
    it."""

    def __init__(
        self, reactor: Any, words: Sequence[str], environment: Mapping[str, str] | None = None, terminal: bool = False
    ) -> None:
        """``terminal`` says that it runs in one of its own, where all that it prints is output."""
        self.output = ""
        self.errors = ""
        self.ended: Deferred[int] = Deferred()
        self._waiting: list[tuple[str, Deferred[None]]] = []
        self._reactor = reactor
        paths = {"PYTHONPATH": f"{ROOT}:{ROOT / 'device'}"}
        variables = {**os.environ, **paths, **(environment or {})}
        self._process = reactor.spawnProcess(self, words[0], words, variables, usePTY=terminal)
        self.pid: int = self._process.pid

    @property
    def said(self) -> str:
        """All that it printed, wherever."""
        return self.output + self.errors

    def outReceived(self, data: bytes) -> None:
        """It printed something."""
        self.output = (self.output + data.decode(errors="replace"))[-MAX_OUTPUT:]
        self._look()

    def errReceived(self, data: bytes) -> None:
        """It complained."""
        self.errors = (self.errors + data.decode(errors="replace"))[-MAX_OUTPUT:]
        self._look()

    def processEnded(self, reason: Failure) -> None:
        """It is gone, and all that it printed was read."""
        value: Any = reason.value
        self.ended.callback(value.exitCode if value.signal is None else -value.signal)
        self._give_up()

    async def until(self, text: str, within: float = 60.0) -> None:
        """Done when it has printed ``text``. Raises ``AssertionError`` with all that it said when it ends before, or
        takes longer."""
        waiter: Deferred[None] = Deferred()
        self._waiting.append((text, waiter))
        self._look()
        if self.ended.called and not waiter.called:
            self._give_up()
        timer = self._reactor.callLater(within, self._give_up)
        try:
            await waiter
        finally:
            if timer.active():
                timer.cancel()

    def write(self, data: bytes) -> None:
        """Give it something to read, which is all that it gets."""
        self._process.write(data)
        self._process.closeStdin()

    def type(self, line: str) -> None:
        """Type a line."""
        self._process.write(f"{line}\n".encode())

    def signal(self, signal: Signals) -> None:
        """Send it a signal."""
        self._process.signalProcess(int(signal))

    async def end(self, signal: Signals = SIGKILL) -> int:
        """Send it a signal that ends it, where it still runs; the answer is its exit status."""
        if not self.ended.called:
            self.signal(signal)
        return await self.outcome()

    def outcome(self) -> Deferred[int]:
        """As ``ended``, for any number of callers."""
        waiter: Deferred[int] = Deferred()

        def tell(status: int) -> int:
            waiter.callback(status)
            return status

        self.ended.addCallback(tell)
        return waiter

    def _give_up(self) -> None:
        waiting, self._waiting = self._waiting, []
        for text, waiter in waiting:
            waiter.errback(AssertionError(f"the program did not say {text!r}, but: {self.said}"))

    def _look(self) -> None:
        for text, waiter in tuple(self._waiting):
            if text in self.said:
                self._waiting.remove((text, waiter))
                waiter.callback(None)


@overload
async def until(
    reactor: Any, condition: Callable[[], Coroutine[Any, Any, T]], what: Words, within: float = ..., every: float = ...
) -> T: ...


@overload
async def until(
    reactor: Any, condition: Callable[[], T], what: Words, within: float = ..., every: float = ...
) -> T: ...


async def until(
    reactor: Any, condition: Callable[[], Any], what: Words, within: float = 60.0, every: float = LOOK_EVERY
) -> Any:
    """What ``condition`` gives, as soon as that is true; looked at ``every`` so many seconds.

    Raises ``Overdue``, which says ``what`` there is instead.
    """
    deadline = reactor.seconds() + within
    while True:
        found = condition()
        result = await found if isawaitable(found) else found
        if result:
            return result
        if reactor.seconds() > deadline:
            raise Overdue(f"not within {within:g} s: {what() if callable(what) else what}")
        await deferLater(reactor, every)


def resident(pid: int) -> int:
    """How many bytes of memory a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free, for TCP and UDP, and stays so while whoever had it is away: the kernel gives it to no
    outgoing connection."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(10_000, min(lowest, 32_768))
        with contextlib.suppress(OSError), socket.socket() as probe, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            probe.bind((host, port))
            datagrams.bind((host, port))
            return port
