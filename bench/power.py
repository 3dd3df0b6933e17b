"""Power cuts at random moments of what a store does to its files: nothing that was acknowledged may be lost.

The same as tests/faults/test_power.py, as often as is wished.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from _support import run, show

from tests.faults.disk import Faults
from tests.faults.powercut import cuts, judge
from tests.processes import Program

OF_A_RECORD = 500
"""Cuts in one record; then another is made, from another seed."""


async def bench(reactor: Any, folder: Path, count: int, seed: str) -> list[str]:
    """Cut ``count`` times; the answer is what is wrong."""
    found: list[str] = []
    for start in range(0, count, OF_A_RECORD):
        place, chance = folder / str(start), Random(f"{seed} {start}")
        (place / "data").mkdir(parents=True)
        faults = Faults(place / "data", place / "faults", record=True)
        words = [sys.executable, "-m", "tests.faults.storing", str(place / "data"), f"{seed} {start}"]
        program = Program(reactor, words, faults.environment)
        if await program.outcome():
            raise AssertionError(program.said)
        for directory, books in cuts(faults.recorded(), min(OF_A_RECORD, count - start), chance, place / "cuts"):
            found += [f"{directory.name}: {fault}" for fault in await judge(reactor, directory, books)]
            shutil.rmtree(directory)
        shutil.rmtree(place)
    return found


def main() -> int:
    """Read the command line, and run; 1 where something was lost, doubled or damaged."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=5000, help="how often the power is cut (5000)")
    parser.add_argument("--seed", default="1", help="of the moments, and of what a disk loses")
    options = parser.parse_args()
    found: list[str] = []

    async def all_cuts(reactor: Any) -> None:
        with TemporaryDirectory(prefix="iotcenter-bench-") as folder:
            found.extend(await bench(reactor, Path(folder), options.cuts, options.seed))

    run(all_cuts)
    show([("power cuts", str(options.cuts), ""), ("lost, doubled or damaged", str(len(found)), "0")])
    print(*found[:20], sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
