"""Thousands of devices connect at once: how long that takes, what a link costs, and how a link that stands fares.

The devices are in two processes, the server in a third.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from _support import cpu_seconds, load, more_files, run_in_folder, show, verdict
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectionLost
from twisted.internet.task import LoopingCall

from iotcenter.wire.messages import Ping, Pong
from tests.daemons import ServerProcess
from tests.faults.crowd import enrolled
from tests.faults.links import enroll_in_memory, join
from tests.processes import Program, resident
from tests.transports.support import Client

UP_WITHIN = 20.0
KILOBYTES_PER_LINK = 60.0
PING_WITHIN = 1.0
"""The goals."""

GIVEN_UP_AFTER = 300.0
"""Seconds."""

ASK_EVERY = 0.05
"""Seconds between two pings over the link that stands."""


class Probe:
    """A link that stands, and how long its server takes to answer."""

    def __init__(self, reactor: Any, link: Client) -> None:
        self.took: list[float] = []
        self._reactor = reactor
        self._link = link
        self._loop = LoopingCall(lambda: Deferred.fromCoroutine(self._ask()))
        self._loop.clock = reactor

    def start(self) -> None:
        """Begin to ask."""
        self._loop.start(ASK_EVERY)

    def stop(self) -> None:
        """Ask no more."""
        self._loop.stop()

    async def _ask(self) -> None:
        began, answer = self._reactor.seconds(), self._link.next(Pong)
        self._link.send(Ping())
        with contextlib.suppress(ConnectionLost):  # when all is over
            await answer
        self.took.append(self._reactor.seconds() - began)


class Bench:
    """One run."""

    def __init__(self, reactor: Any, folder: Path, options: argparse.Namespace) -> None:
        self._reactor = reactor
        self._folder = folder
        self._half = options.devices // 2
        self._server = ServerProcess(reactor, folder / "server")
        self._crowds: list[Program] = []
        self._played = 0.0

    async def run(self) -> None:
        """Enroll all, let them come, and print what was found."""
        folders = [self._folder / name for name in ("first", "second")]
        for place, folder in enumerate(folders):
            await enrolled(self._reactor, self._server.directory, folder, self._half, place * self._half + 1)
        await self._server.start()
        try:
            context = await enroll_in_memory(self._reactor, self._server, "probe")
            probe = Probe(self._reactor, await join(self._reactor, self._server.tls, context))
            before, busy = resident(self._server.program.pid), cpu_seconds(self._server.program.pid)
            probe.start()
            took = await self._come(folders)
            probe.stop()
            links = 2 * self._half
            slowest = sorted(probe.took)[int(len(probe.took) * 0.99)]
            memory = (resident(self._server.program.pid) - before) / links / 1000
            busy = cpu_seconds(self._server.program.pid) - busy
            played = sum(cpu_seconds(crowd.pid) for crowd in self._crowds) - self._played
            show(
                [
                    (f"until {links} devices are there", *verdict(took, UP_WITHIN, "s")),
                    ("processor time of the server for it", f"{busy:.1f} s", ""),
                    ("processor time of the devices for it", f"{played:.1f} s", ""),
                    ("memory for each link", *verdict(memory, KILOBYTES_PER_LINK, "KB")),
                    ("answer over a link that stands, p99", *verdict(slowest, PING_WITHIN, "s")),
                    ("load of the machine", load(), ""),
                ]
            )
        finally:
            for crowd in self._crowds:
                await crowd.end()
            await self._server.kill()

    async def _come(self, folders: list[Path]) -> float:
        """Start the devices; the answer is how many seconds passed from the first link to the last."""
        for folder in folders:
            words = [sys.executable, "-m", "tests.faults.crowd", str(folder), str(self._server.tls), "3600", "wait"]
            self._crowds.append(Program(self._reactor, words))
        await self._all_say("ready\n")
        self._played = sum(cpu_seconds(crowd.pid) for crowd in self._crowds)
        began = self._reactor.seconds()
        for crowd in self._crowds:
            crowd.write(b"go\n")
        await self._all_say(f"links: {self._half}\n")
        return float(self._reactor.seconds() - began)

    async def _all_say(self, words: str) -> None:
        await gatherResults([Deferred.fromCoroutine(one.until(words, GIVEN_UP_AFTER)) for one in self._crowds])


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=10_000, help="how many (10000); each needs an open file")
    options = parser.parse_args()
    more_files()
    run_in_folder(lambda reactor, folder: Bench(reactor, folder, options))


if __name__ == "__main__":
    main()
