"""Fuzzing of all parsers side by side, each in a process of its own, since atheris takes over the one that it is in."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes import Program

NAMES = ("links", "enrollments", "requests", "datagrams", "packets", "guests")
"""What there is to fuzz: see ``tests.faults.targets``."""


@dataclass(frozen=True)
class Outcome:
    """What became of one parser: how many inputs it was given, how many bytes it did not give back, and all that the
    fuzzer said, which has the input and the traceback where ``status`` is not 0."""

    status: int
    inputs: int
    growth: int
    said: str


async def fuzz(reactor: Any, seconds: int, corpus: Path) -> Mapping[str, Outcome]:
    """Fuzz every parser for ``seconds``. In ``corpus`` stays what led somewhere new: the next time begins there."""
    programs = {name: _start(reactor, name, seconds, corpus / name) for name in NAMES}
    return {name: _outcome(await program.outcome(), program.errors) for name, program in programs.items()}


def _start(reactor: Any, name: str, seconds: int, folder: Path) -> Program:
    folder.mkdir(parents=True, exist_ok=True)
    return Program(reactor, [sys.executable, "-m", "tests.faults.guided", name, str(seconds), str(folder)])


def _outcome(status: int, said: str) -> Outcome:
    growths = [int(growth) for growth in re.findall(r"^growth (-?\d+)$", said, re.MULTILINE)]
    inputs = re.search(r"^stat::number_of_executed_units: *(\d+)$", said, re.MULTILINE)
    return Outcome(status, int(inputs[1]) if inputs else 0, max(growths, default=0), said)
