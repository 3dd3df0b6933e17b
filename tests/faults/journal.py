"""The books that a device keeps for a test: which numbers it made, and which readings it was told are safe."""

from __future__ import annotations

import os
from pathlib import Path

SERIES = "number"
"""What the numbers are reported as."""

FOLDER = "IOTCENTER_JOURNAL"
"""The environment variable that tells a device where its books are."""

PACE = "IOTCENTER_PACE"
"""The environment variable that tells it how many readings a second to make."""

Key = tuple[int, int]
"""A reading as the server knows it: by the device's boot, and the sequence number in it."""

LOST = "lost"
"""The line that stands between the acknowledgements of two links."""


class Tail:
    """The lines of a file that grows, each of them once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def lines(self) -> list[str]:
        """Those that came since the last time."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole, end, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(end)
        return whole.decode("ascii").splitlines()


class Journal:
    """What a test reads in a device's books."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._made = Tail(folder / "made")
        self._events = Tail(folder / "events")
        self._numbers: list[int] = []
        self._promised: set[Key] = set()
        self._losses = 0

    def numbers(self) -> list[int]:
        """All numbers that were made, in order."""
        self._numbers += map(int, self._made.lines())
        return self._numbers

    def promised(self) -> set[Key]:
        """All readings that were acknowledged."""
        self._look()
        return self._promised

    def losses(self) -> int:
        """How often the link was lost."""
        self._look()
        return self._losses

    def _look(self) -> None:
        for line in self._events.lines():
            if line == LOST:
                self._losses += 1
            else:
                boot, first, count = map(int, line.split())
                self._promised |= {(boot, number) for number in range(first, first + count)}


class JournalWriter:
    """What the device writes there: each line by one system call, after which it outlives the process."""

    def __init__(self, folder: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._numbers, self._events = (os.open(folder / name, flags, 0o600) for name in ("made", "events"))

    def made(self, number: int) -> None:
        """A number was made."""
        os.write(self._numbers, b"%d\n" % number)

    def acknowledged(self, boot: int, sequence: int, count: int) -> None:
        """The server said that it has ``count`` readings from ``sequence`` on."""
        os.write(self._events, b"%d %d %d\n" % (boot, sequence, count))

    def lost_link(self) -> None:
        """The link is gone: nothing more comes over it."""
        os.write(self._events, LOST.encode() + b"\n")
