"""Many browsers that look at the event stream, in a process of their own: ``python _browsers.py PORT COUNT SECONDS``.

Standard input has API tokens, a line each, which they share. Standard output gets one line of JSON in the end.
"""

from __future__ import annotations

import json
import re
import sys
import time
from typing import Any

from _support import more_files, run
from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

AT_ONCE = 20
"""How many connect at the same time."""

READINGS, SNAPSHOT = b"event: readings\n", b"event: snapshot\n"
VALUE = re.compile(rb'"value":([0-9.]+),')

LOOKS = 25
"""One of so many browsers looks at each value; the others only count frames, so that there is time for all of them."""

PART = 40
"""Bytes at the end of what came that may be the beginning of something."""


class Browser(Protocol):
    """One that is on. A value is the time at which it was measured: ``delays`` is how old each is when it is seen."""

    def __init__(self, token: str, looks: bool) -> None:
        self.delays: list[float] = []
        self.frames = 0
        self.snapshots = 0
        self.bytes = 0
        self.began: Deferred[None] = Deferred()
        self.lost = False
        self._token = token
        self._looks = looks
        self._tail = b""

    def connectionMade(self) -> None:
        """Ask for the stream."""
        transport: Any = self.transport
        transport.write(
            b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n" % self._token.encode()
        )

    def dataReceived(self, data: bytes) -> None:
        """Count, and look at the values."""
        self.bytes += len(data)
        data = self._tail + data
        whole, self._tail = data[:-PART], data[-PART:]
        self.snapshots += _beginnings(SNAPSHOT, data)
        self.frames += _beginnings(READINGS, data)
        if self._looks:
            now = time.time()
            self.delays += [now - float(found[1]) for found in VALUE.finditer(data) if found.start() < len(whole)]
        if self.snapshots and not self.began.called:
            self.began.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It was thrown out."""
        self.lost = True


def _beginnings(of: bytes, data: bytes) -> int:
    """How many begin in what is not kept for the next time."""
    return data.count(of, 0, max(0, len(data) - PART + len(of) - 1))


async def look(reactor: Any, port: int, count: int, seconds: float, tokens: list[str]) -> None:
    """Have them all look for so long."""
    browsers = [Browser(tokens[number % len(tokens)], number % LOOKS == 0) for number in range(count)]
    some = DeferredSemaphore(AT_ONCE)

    async def enter(browser: Browser) -> None:
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port, timeout=60), browser)
        await browser.began

    await gatherResults([some.run(lambda one: Deferred.fromCoroutine(enter(one)), browser) for browser in browsers])
    print("all in", flush=True)
    for browser in browsers:
        browser.delays.clear()
        browser.bytes = browser.snapshots = browser.frames = 0
    await deferLater(reactor, seconds)
    found = {
        "delays": sorted(delay for browser in browsers for delay in browser.delays),
        "frames": sum(browser.frames for browser in browsers),
        "snapshots": sum(browser.snapshots for browser in browsers),
        "lost": sum(browser.lost for browser in browsers),
        "bytes": sum(browser.bytes for browser in browsers),
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    more_files()
    port, count, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    run(lambda reactor: look(reactor, port, count, seconds, sys.stdin.read().split()))
