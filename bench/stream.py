"""Many browsers on the event stream while many values change: processor time, memory, and how old a value is when it is
seen.

The server and the browsers run in processes of their own; this one plays the devices. Values wait up to a second for
others, so that a browser gets one frame a second.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from _support import cpu_seconds, load, more_files, percentile, run_in_folder, show, verdict
from twisted.internet.task import LoopingCall, deferLater

from iotcenter.model import Reading
from iotcenter.wire.messages import Hello, Report
from tests.daemons import ServerProcess
from tests.faults.links import enroll_in_memory, join
from tests.processes import Program, resident
from tests.transports.support import Client

DEVICES = 10

OF_ONE_TOKEN = 20
"""How many streams one token may have."""

LATE = 2.0
"""The goal, in seconds: one that values wait for each other, and one for everything else."""


class Device:
    """One whose every value changes each second."""

    def __init__(self, link: Client, series: int) -> None:
        self._link = link
        self._names = [f"series-{number}" for number in range(series)]
        self._sequence = 1

    def report(self) -> None:
        """Measure: each value is the time."""
        self._link.received.clear()
        now = time.time()
        self._link.send(Report(1, self._sequence, tuple(Reading(name, now, now) for name in self._names), now))
        self._sequence += len(self._names)


class Bench:
    """One run."""

    def __init__(self, reactor: Any, folder: Path, options: argparse.Namespace) -> None:
        self._reactor = reactor
        self._options = options
        self._server = ServerProcess(reactor, folder / "server")
        self._loops: list[LoopingCall] = []
        self._links: list[Client] = []

    async def run(self) -> None:
        """Measure, and print it."""
        try:
            await self._server.start()
            await self._devices()
            await deferLater(self._reactor, 2.0)
            before = resident(self._server.program.pid)
            alone = await self._cpu(5.0)
            await self._look(before, alone)
        finally:
            for loop in self._loops:
                loop.stop()
            for link in self._links:
                await link.close()
            await self._server.kill()

    async def _devices(self) -> None:
        for number in range(DEVICES):
            context = await enroll_in_memory(self._reactor, self._server, f"device-{number}")
            link = await join(self._reactor, self._server.tls, context, Hello(boot=1))
            loop = LoopingCall(Device(link, self._options.values // DEVICES).report)
            self._links.append(link)
            self._loops.append(loop)
            loop.start(1.0)
            await deferLater(self._reactor, 1.0 / DEVICES)

    async def _look(self, before: int, alone: float) -> None:
        count, seconds = self._options.browsers, self._options.seconds
        tokens = [await self._token(number) for number in range(-(-count // OF_ONE_TOKEN))]
        line = [sys.executable, str(Path(__file__).with_name("_browsers.py")), str(self._server.http)]
        browsers = Program(self._reactor, [*line, str(count), str(seconds)])
        browsers.write("\n".join(tokens).encode())
        await browsers.until("all in")
        share = await self._cpu(seconds - 2.0)
        memory = resident(self._server.program.pid)
        status = await browsers.outcome()
        assert status == 0, browsers.errors
        self._show(json.loads(browsers.output.splitlines()[-1]), share, alone, (memory - before) / 1_000_000)

    async def _token(self, number: int) -> str:
        made = await self._server.ask("tokens", {"name": f"browser-{number}", "role": "viewer"})
        return str(made["token"])

    async def _cpu(self, seconds: float) -> float:
        """Which share of a core the server takes over so many seconds."""
        began, busy = self._reactor.seconds(), cpu_seconds(self._server.program.pid)
        await deferLater(self._reactor, seconds)
        elapsed: float = self._reactor.seconds() - began
        return (cpu_seconds(self._server.program.pid) - busy) / elapsed

    def _show(self, found: dict[str, Any], share: float, alone: float, megabytes: float) -> None:
        frames = found["frames"] / self._options.browsers / self._options.seconds
        show(
            [
                ("browsers, values that change each second", f"{self._options.browsers}, {self._options.values}", ""),
                ("frames that each sees", f"{frames:.2f} a second", "at most 1"),
                ("thrown out; snapshots in place of what was missed", f"{found['lost']}; {found['snapshots']}", "0; 0"),
                ("age of a value when it is seen, p50", f"{percentile(found['delays'], 50):.2f} s", ""),
                ("age of a value when it is seen, p99", *verdict(percentile(found["delays"], 99), LATE, "s")),
                ("server: processor time without browsers", f"{alone:.0%} of a core", ""),
                ("server: processor time with them", f"{share:.0%} of a core", ""),
                ("server: memory that they take", f"{megabytes:.1f} MB", ""),
                ("written to them", f"{found['bytes'] / self._options.seconds / 1e6:.1f} MB/s", ""),
                ("load of the machine", load(), ""),
            ]
        )


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--browsers", type=int, default=500, help="how many look (500)")
    parser.add_argument("--values", type=int, default=1000, help="how many values change each second (1000)")
    parser.add_argument("--seconds", type=float, default=30.0, help="for how long (30)")
    options = parser.parse_args()
    more_files()
    run_in_folder(lambda reactor, folder: Bench(reactor, folder, options))


if __name__ == "__main__":
    main()
