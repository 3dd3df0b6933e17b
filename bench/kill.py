"""``kill -9`` of the server, round after round, while devices report: nothing may be lost, nothing doubled.

Each round kills the server at a random moment, or in that in which it writes, or promises something; looks whether all
that was acknowledged is on its disk; and starts it again. In the end the devices hand in what waits, and their books
are compared with the database.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from _support import run, show, verdict
from twisted.internet.defer import succeed

from tests.faults.fleet import Fleet

SERVING_WITHIN = 3.0
"""The goal, in seconds from the start of the process."""


class Bench:
    """One run."""

    def __init__(self, reactor: Any, folder: Path, options: argparse.Namespace) -> None:
        self._reactor = reactor
        self._options = options
        self._fleet = Fleet(reactor, folder, options.devices)
        self._random = random.Random(options.seed)
        self._serving: list[float] = []
        self._back: list[float] = []
        self.faults: list[str] = []

    async def run(self) -> None:
        """Kill until the time is over, then count."""
        try:
            await self._fleet.start()
            end = self._reactor.seconds() + self._options.seconds
            while self._reactor.seconds() < end and not self.faults:
                await self._round()
            await self._fleet.drain()
            await self._count()
        finally:
            await self._fleet.stop()

    async def _round(self) -> None:
        await self._fleet.a_moment(self._random)
        await self._random.choice((self._fleet.a_promise, self._fleet.a_commit, lambda: succeed(None)))()
        self.faults += self._fleet.broken_promises(await self._fleet.kill_server())
        self._serving.append(await self._fleet.server.start())
        began = self._reactor.seconds()
        await self._fleet.online()
        self._back.append(self._reactor.seconds() - began)

    async def _count(self) -> None:
        made = {member.name: set(member.journal.numbers()) for member in self._fleet.members}
        found = await self._fleet.holds(made)
        self.faults += self._fleet.faults(found, made)
        total, duplicates = sum(map(len, made.values())), sum(stored.duplicates for stored in found.values())
        show(
            [
                ("rounds", str(len(self._serving)), ""),
                ("readings made", str(total), ""),
                ("readings sent again, and recognized", str(duplicates), ""),
                ("faults (lost, doubled, promises broken)", str(len(self.faults)), "0"),
                ("seconds to serving, median", f"{median(self._serving):.2f} s", ""),
                ("seconds to serving, longest", *verdict(max(self._serving), SERVING_WITHIN, "s")),
                ("seconds until all devices are back, median", f"{median(self._back):.2f} s", ""),
                ("seconds until all devices are back, longest", f"{max(self._back):.2f} s", ""),
            ]
        )
        print(*self.faults, sep="\n")


def main() -> int:
    """Read the command line, and run; 1 where something was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long to go on; a round takes some 3 (600)")
    parser.add_argument("--devices", type=int, default=5, help="how many devices report 200 readings a second each (5)")
    parser.add_argument("--seed", type=int, default=None, help="of the moments at which the server is killed")
    options = parser.parse_args()
    faults: list[str] = []

    async def bench(reactor: Any) -> None:
        with TemporaryDirectory(prefix="iotcenter-bench-") as folder:
            one = Bench(reactor, Path(folder), options)
            await one.run()
            faults.extend(one.faults)

    run(bench)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
