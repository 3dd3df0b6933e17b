"""What the benchmarks share: how they run, and how they show what they found."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.task import react

TICK = os.sysconf("SC_CLK_TCK")
"""How many of the kernel's units of processor time make a second."""


class FaultFinder(Protocol):
    """A benchmark that looks for faults too."""

    faults: list[str]

    async def run(self) -> None:
        """Measure, and gather ``faults`` in words."""


def run(main: Callable[[Any], Awaitable[None]]) -> None:
    """Run ``main`` with a reactor, to its end."""

    async def bench(reactor: Any) -> None:
        await main(reactor)

    try:
        react(lambda reactor: Deferred.fromCoroutine(bench(reactor)))
    except SystemExit as end:  # which is how it returns
        if end.code:
            raise


def run_in_folder(make: Callable[[Any, Path], FaultFinder]) -> int:
    """Run what ``make`` gives in a folder of its own; 1 where it found faults."""
    faults: list[str] = []

    async def bench(reactor: Any) -> None:
        with TemporaryDirectory(prefix="iotcenter-bench-") as folder:
            one = make(reactor, Path(folder))
            await one.run()
            faults.extend(one.faults)

    run(bench)
    return 1 if faults else 0


def show(rows: Sequence[tuple[str, str, str]]) -> None:
    """Print a table: what was measured, what was found, what is the goal."""
    titled = [("measured", "found", "goal"), *rows]
    widths = [max(len(row[column]) for row in titled) for column in range(3)]
    for row in titled:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def verdict(found: float, goal: float, unit: str) -> tuple[str, str]:
    """Two cells: what was found, and the goal with whether it was met. Less is better."""
    return f"{found:.1f} {unit}", f"at most {goal:g} {unit}{'' if found <= goal else ': MISSED'}"


def cpu_seconds(pid: int) -> float:
    """How much processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The value below which so many percent of ``ordered`` values lie; 0 where there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


def load() -> str:
    """What else the machine has to do: how many processes want to run, over the last 1 and 5 minutes."""
    one, five, _ = os.getloadavg()
    return f"{one:.1f}, {five:.1f} on {os.cpu_count()} cores"


def more_files() -> int:
    """Let this process have as many open files as it may, which is the answer: each connection is one."""
    _, most = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (most, most))
    return most
