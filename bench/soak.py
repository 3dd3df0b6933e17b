"""A server at work for a day, whose links break all the while: memory and open files stay flat.

Nothing may be lost or doubled either. ``faults`` is the bench that kills the server and the devices.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import linear_regression
from typing import Any

from _support import cpu_seconds, run_in_folder, show, verdict
from twisted.internet.task import deferLater

from tests.faults.fleet import Fleet
from tests.faults.journal import PACE
from tests.faults.relay import Relay
from tests.processes import resident

MEGABYTES_AN_HOUR = 1.0
"""The goal: by how much the server's memory may grow, in the second half of the run."""

LOOK_EVERY = 10.0
"""Seconds between two looks at the server, each of which comes with a fault."""


class Bench:
    """One run."""

    def __init__(self, reactor: Any, folder: Path, options: argparse.Namespace) -> None:
        self._reactor = reactor
        self._options = options
        pace = {PACE: str(options.pace)}
        self._fleet = Fleet(reactor, folder, options.devices, of_devices=pace)
        self._relay = Relay(reactor, self._fleet.server.tls)
        self._fleet.door = self._relay.port
        self._seen: list[tuple[float, int, int]] = []
        self.faults: list[str] = []

    async def run(self) -> None:
        """Go on until the time is over, then count."""
        try:
            await self._fleet.start()
            began = self._reactor.seconds()
            while (now := self._reactor.seconds() - began) < self._options.hours * 3600:
                self._look(now / 3600)
                self._relay.cut(random.Random(), len(self._fleet.members))
                await deferLater(self._reactor, LOOK_EVERY)
            await self._fleet.online()
            await self._fleet.drain()
            needed = {member.name: set(member.journal.numbers()) for member in self._fleet.members}
            found = await self._fleet.holds(needed)
            self.faults += self._fleet.broken_promises(found) + self._fleet.faults(found, needed)
            self._show(sum(map(len, needed.values())))
        finally:
            await self._fleet.stop()
            await self._relay.close()

    def _look(self, hours: float) -> None:
        process = self._fleet.server.program.pid
        self._seen.append((hours, resident(process), len(tuple(Path(f"/proc/{process}/fd").iterdir()))))

    def _show(self, made: int) -> None:
        half = self._seen[len(self._seen) // 2 :]
        growth = _slope([(hours, memory / 1e6) for hours, memory, _ in half])
        files = [count for _, _, count in half]
        show(
            [
                ("readings made", str(made), ""),
                ("faults (lost, doubled, promises broken)", str(len(self.faults)), "0"),
                ("memory at the end", f"{half[-1][1] / 1e6:.1f} MB", ""),
                ("growth of memory in an hour", *verdict(growth, MEGABYTES_AN_HOUR, "MB")),
                ("open files, fewest and most", f"{min(files)} to {max(files)}", "flat"),
                ("processor time", f"{cpu_seconds(self._fleet.server.program.pid):.1f} s", ""),
            ]
        )
        print(*self.faults, sep="\n")


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """By how much the second rises with the first."""
    return linear_regression(*zip(*points, strict=True)).slope if len(points) > 1 else 0.0


def main() -> int:
    """Read the command line, and run; 1 where something was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24.0, help="how long to go on (24)")
    parser.add_argument("--devices", type=int, default=20, help="how many devices report, a process each (20)")
    parser.add_argument("--pace", type=float, default=10.0, help="readings of each of them a second (10)")
    options = parser.parse_args()
    return 1 if run_in_folder(lambda reactor, folder: Bench(reactor, folder, options)).faults else 0


if __name__ == "__main__":
    sys.exit(main())
