"""The terminal: questions to the person in front of it, beside whatever else the program does meanwhile."""

from __future__ import annotations

import os
import sys
import termios
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

MAX_LINE = 4096
"""Bytes of a line that are kept: a terminal gives no more at a time."""


class EndOfInput(Exception):
    """Nobody will answer any more."""


@implementer(IReadDescriptor)
class Console:
    """Lines from standard input, read where there is something to read, so that nothing else has to wait."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._descriptor = sys.stdin.fileno()
        self._came = b""
        self._lines: deque[str] = deque()
        self._waiting: Deferred[str] | None = None
        self._ended = False
        self._asked = ""

    async def ask(self, question: str, default: str = "") -> str:
        """The answer to a question; ``default`` where that is empty. Raises ``EndOfInput``."""
        self._asked = f"{question} [{default}]: " if default else f"{question}: "
        print(self._asked, end="", flush=True)
        try:
            return (await self._line()).strip() or default
        finally:
            self._asked = ""

    async def ask_secret(self, question: str) -> str:
        """The same for what nobody shall read on the screen. What blanks stand in it belong to it."""
        with self._silent():
            print(f"{question}: ", end="", flush=True)
            try:
                return await self._line()
            finally:
                print()

    def tell(self, line: str) -> None:
        """A line that comes between questions: the one that stands there is asked again behind it."""
        print(f"\n{line}\n{self._asked}" if self._asked else line, end="" if self._asked else "\n", flush=True)

    def close(self) -> None:
        """Read no more."""
        self._ended = True
        self._reactor.removeReader(self)
        self._give()

    def fileno(self) -> int:
        """See ``IReadDescriptor``."""
        return self._descriptor

    def doRead(self) -> None:
        """See ``IReadDescriptor``."""
        data = os.read(self._descriptor, MAX_LINE)
        if not data:
            self.close()
            return
        *lines, rest = (self._came + data).split(b"\n")
        self._came = rest[:MAX_LINE]
        self._lines.extend(line.decode(errors="replace") for line in lines)
        self._give()

    def connectionLost(self, reason: Failure) -> None:
        """See ``IReadDescriptor``."""
        self.close()

    def logPrefix(self) -> str:
        """See ``IReadDescriptor``."""
        return "console"

    async def _line(self) -> str:
        self._waiting = waiting = Deferred[str]()
        if not self._ended:
            self._reactor.addReader(self)
        self._give()
        return await waiting

    def _give(self) -> None:
        if self._waiting is None or not (self._lines or self._ended):
            return
        waiting, self._waiting = self._waiting, None
        self._reactor.removeReader(
            self
        )  # what is typed ahead stays with the terminal, where its echo can be turned off
        if self._lines:
            waiting.callback(self._lines.popleft())
        else:
            waiting.errback(EndOfInput())

    @contextmanager
    def _silent(self) -> Iterator[None]:
        """Without echo, where standard input is a terminal at all."""
        if not os.isatty(self._descriptor):
            yield
            return
        before = termios.tcgetattr(self._descriptor)
        silent = termios.tcgetattr(self._descriptor)
        silent[3] &= ~termios.ECHO
        termios.tcsetattr(self._descriptor, termios.TCSANOW, silent)
        try:
            yield
        finally:
            termios.tcsetattr(self._descriptor, termios.TCSANOW, before)
