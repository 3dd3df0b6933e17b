"""Looks for input that a parser does not survive, led by what code the input before reached.

``python -m tests.faults.guided TARGET SECONDS CORPUS`` runs one of ``tests.faults.targets`` for so long. atheris takes
the process over and ends it: with status 0, or with a traceback and the input where something came out that should not,
or where memory was not given back. What it found worth keeping stays in the folder ``CORPUS``.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["iotcenter"]):
    from tests.faults.targets import TARGETS
from tests.processes import resident

LONGEST = 4096
"""Bytes of the longest input: more would find nothing, slowly."""

WARM = 5_000
"""After how many inputs everything was reached once that is made at the first use."""

LOOK_EVERY = 5_000
"""How many inputs go by between two looks at the memory."""

MAX_GROWTH = 8 * 1024 * 1024
"""How much memory may be taken over from then on: atheris keeps what it finds, and an allocator keeps back some."""


class Watch:
    """Runs a target, and looks at the memory now and then."""

    def __init__(self, run: Callable[[bytes], None]) -> None:
        self._run = run
        self._count = 0
        self._before = 0

    def __call__(self, data: bytes) -> None:
        """Run the target once."""
        self._run(data)
        self._count += 1
        if self._count % LOOK_EVERY == 0:
            self._look()

    def _look(self) -> None:
        gc.collect()
        now = resident(os.getpid())
        if self._count <= WARM:
            self._before = now
        growth = now - self._before
        print(f"growth {growth}", file=sys.stderr)
        assert growth <= MAX_GROWTH, f"{growth} bytes were not given back"


def main(name: str, seconds: str, corpus: str) -> None:
    """Run; does not return."""
    folder = Path(corpus)
    for number, seed in enumerate(TARGETS[name].seeds):
        (folder / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-artifact_prefix={folder}/", "-timeout=10"]
    atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", str(folder)], Watch(TARGETS[name].run))
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
