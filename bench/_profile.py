"""Where a process spends its time, by py-spy: which part of the program was at work whenever it was looked at."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from signal import SIGINT
from typing import Any

from tests.processes import Program

PARTS = (
    ("/twisted/conch/", "SSH: packets (Conch)"),
    ("/cryptography/", "SSH: cipher and MAC"),
    ("hmac.py", "SSH: cipher and MAC"),
    ("/OpenSSL/", "TLS to the device"),
    ("/twisted/protocols/tls.py", "TLS to the device"),
    ("/twisted/python/util.py", "writing to sockets, in the kernel"),
    ("/twisted/internet/", "reading from sockets, and the reactor"),
    ("/iotcenter/", "IotCenter"),
)
"""What the path of a source file says of what it is for; the first that fits counts."""

WAITING = ("Condition.wait ", "doPoll ")
"""How the functions are called in which a thread has nothing to do."""


class Profile:
    """Looks at a process a hundred times a second, from ``start`` to ``parts``."""

    def __init__(self, reactor: Any, folder: Path) -> None:
        self._reactor = reactor
        self._file = folder / "profile"
        self._program: Program | None = None

    def start(self, pid: int) -> None:
        """Begin. Raises ``SystemExit`` where py-spy is missing."""
        program = shutil.which("py-spy")
        if program is None:
            raise SystemExit("a profile needs py-spy: pip install py-spy")
        words = [program, "record", "--full-filenames", "--format=raw", f"--output={self._file}", f"--pid={pid}"]
        self._program = Program(self._reactor, [*words, "--duration=unlimited"])

    async def parts(self) -> list[tuple[str, float]]:
        """Each part of the program with its share of the time in which it was at work, the largest first."""
        assert self._program is not None
        await self._program.end(SIGINT)
        counts: Counter[str] = Counter()
        for line in self._file.read_text().splitlines():
            stack, _, count = line.rpartition(" ")
            frame = stack.rpartition(";")[2]
            if not any(name in frame for name in WAITING):
                counts[_part(frame)] += int(count)
        return [(name, count / counts.total()) for name, count in counts.most_common()]


def _part(frame: str) -> str:
    return next((name for mark, name in PARTS if mark in frame), "the rest of Python")
