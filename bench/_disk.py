"""What the disk does: how long it takes, and how much a program has it write."""

from __future__ import annotations

import os
import time
from pathlib import Path
from statistics import median

SYNCS, PAGE = 100, 4096


def sync_time(folder: Path) -> float:
    """Milliseconds that the disk takes to bring a page to safety, the median of many."""
    took = []
    with (folder / "sync").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, SYNCS * PAGE)
        for number in range(SYNCS):
            began = time.perf_counter()
            os.pwrite(file.fileno(), bytes(PAGE), number * PAGE)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return median(took) * 1000


def written(pid: int) -> int:
    """Bytes that a process had brought to the disk."""
    return _io(Path(f"/proc/{pid}/io"))["write_bytes"]


def written_by_inbox(pid: int) -> int:
    """The same of the thread of the inbox, which the server names so."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    named = [thread for thread in threads if (thread / "comm").read_text("ascii").strip() == "inbox"]
    return sum(_io(thread / "io")["write_bytes"] for thread in named)


def _io(file: Path) -> dict[str, int]:
    lines = (line.split(": ") for line in file.read_text("ascii").splitlines())
    return {name: int(number) for name, number in lines}
