"""Input that is bred to break the parsers, for as long as one likes: only refusals come out, and memory stays flat."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from _support import run, show, verdict

from tests.faults.fuzzing import fuzz

GROWTH = 8.0
"""The goal, in MB: what the fuzzer learns, and what an allocator keeps back."""


def main() -> None:
    """Read the command line, and run; the status is 1 where anything else came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", nargs="?", type=int, default=300, help="for how long (300; a night is 28800)")
    parser.add_argument("--corpus", type=Path, help="where to keep what led somewhere new, and to begin with it")
    options = parser.parse_args()

    async def bench(reactor: Any) -> None:
        with TemporaryDirectory() as folder:
            if not await report(reactor, options.seconds, options.corpus or Path(folder)):
                sys.exit(1)

    run(bench)


async def report(reactor: Any, seconds: int, corpus: Path) -> bool:
    """Fuzz, and print what came of it; whether all is well."""
    outcomes = await fuzz(reactor, seconds, corpus)
    rows = []
    for name, outcome in outcomes.items():
        rows.append((f"{name}: inputs", str(outcome.inputs), "1000000"))
        rows.append((f"{name}: memory that was not given back", *verdict(outcome.growth / 1_000_000, GROWTH, "MB")))
        rows.append((f"{name}: ended with status", str(outcome.status), "0"))
    show(rows)
    broken = [outcome.said for outcome in outcomes.values() if outcome.status]
    print(*(said[-5000:] for said in broken), sep="\n")
    return not broken


if __name__ == "__main__":
    main()
