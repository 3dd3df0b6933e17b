"""The books that a device keeps for a test: which numbers it made, and which readings it was told are safe."""

from __future__ import annotations

import os
from pathlib import Path

SERIES = "number"
"""What the numbers are reported as."""

FOLDER = "IOTCENTER_JOURNAL"
"""The environment variable that tells a device where its books are."""

Key = tuple[int, int]
"""A reading as the server knows it: by the device's boot, and the sequence number in it."""

LOST = "lost"
"""The line that stands between the acknowledgements of two links."""


class Journal:
    """What the test reads in a device's books."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def numbers(self) -> list[int]:
        """All numbers that were made, in order."""
        return [int(line) for line in self._lines("made")]

    def promised(self) -> set[Key]:
        """All readings that were acknowledged."""
        acks = (map(int, line.split()) for line in self._lines("events") if line != LOST)
        return {(boot, number) for boot, first, count in acks for number in range(first, first + count)}

    def losses(self) -> int:
        """How often the link was lost."""
        return self._lines("events").count(LOST)

    def _lines(self, name: str) -> list[str]:
        file = self.folder / name
        return file.read_text("ascii").splitlines() if file.exists() else []


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
