"""What the benchmarks share: how they run, and how they show what they found."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import react

TICK = os.sysconf("SC_CLK_TCK")
"""How many of the kernel's units of processor time make a second."""

CORES = sorted(os.sched_getaffinity(0))
"""The cores that this program may use when it begins."""


class Bench(Protocol):
    """What is measured together."""

    async def run(self) -> None:
        """Measure, and print what was found."""


B = TypeVar("B", bound=Bench)


def run(main: Callable[[Any], Awaitable[None]]) -> None:
    """Run ``main`` with a reactor, to its end."""

    async def bench(reactor: Any) -> None:
        await main(reactor)

    try:
        react(lambda reactor: Deferred.fromCoroutine(bench(reactor)))
    except SystemExit as end:  # which is how it returns
        if end.code:
            raise


def run_in_folder(make: Callable[[Any, Path], B]) -> B:
    """Run what ``make`` gives, in a folder of its own; that is the answer."""
    made: list[B] = []

    async def bench(reactor: Any) -> None:
        with TemporaryDirectory(prefix="iotcenter-bench-") as folder:
            made.append(make(reactor, Path(folder)))
            await made[0].run()

    run(bench)
    return made[0]


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
    return _cpu_seconds(Path(f"/proc/{pid}"))[1]


def keep_apart(server: int) -> None:
    """Give a server a core of its own, and this process, with what it starts from now on, the others. Each answer wakes
    its sender, which would push the server aside and fill its caches: one from elsewhere does not."""
    if len(CORES) == 1:
        return
    for pid, cores in ((server, CORES[:1]), (os.getpid(), CORES[1:])):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setaffinity(int(thread.name), cores)


def serving_seconds(pid: int) -> float:
    """How much of it was a server's for taking reports in: its reactor's, and that of the thread that writes the inbox.
    The rest is for merging them into the tables."""
    threads = [_cpu_seconds(folder) for folder in Path(f"/proc/{pid}/task").iterdir() if folder.name != str(pid)]
    return _cpu_seconds(Path(f"/proc/{pid}/task/{pid}"))[1] + sum(used for name, used in threads if name == "inbox")


def _cpu_seconds(folder: Path) -> tuple[str, float]:
    """The name of a process or a thread, and how much processor time it has used."""
    name, _, rest = (folder / "stat").read_text("ascii").partition("(")[2].rpartition(")")
    fields = rest.split()
    return name, (int(fields[11]) + int(fields[12])) / TICK


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
