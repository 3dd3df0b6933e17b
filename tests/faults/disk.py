"""A disk and a clock that do what a test wants, for programs that are started with ``Faults.environment``.

The work is done by ``faults.c``, which stands before the C library of those programs.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from enum import Enum
from errno import EIO, ENOSPC
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).with_name("faults.c")

NO_COMPILER = None if shutil.which("gcc") else "gcc is missing, which builds the disk that fails"
"""Why tests that need such a disk are skipped."""

CONTROL = struct.Struct("=qiiiii")
"""As ``struct control`` in ``faults.c``, which pads it to a multiple of eight."""

ENTRY = struct.Struct("=IIQQ")
"""As ``struct entry``."""

ANY_NUMBER = -1


class Operation(Enum):
    """What is recorded."""

    OPEN = ord("o")
    WRITE = ord("w")
    TRUNCATE = ord("t")
    ALLOCATE = ord("a")
    SYNC = ord("s")
    SYNC_FAILED = ord("f")
    RENAME = ord("r")
    UNLINK = ord("u")


class Entry(NamedTuple):
    """One change. ``file`` is the descriptor; ``data`` what was written, or the names that it is about."""

    operation: Operation
    file: int
    offset: int
    data: bytes


class Faults:
    """Everything works at first. ``directory`` is whose files are meant, by its real path; ``folder`` is for what this
    needs itself."""

    def __init__(self, directory: Path, folder: Path, *, record: bool = False) -> None:
        folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        library, control, self._record = folder / "faults.so", folder / "control", folder / "record"
        build(library)
        control.write_bytes(bytes(CONTROL.size + 4))
        with control.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), 0)
        self._values = [0, ANY_NUMBER, 0, ANY_NUMBER, 0, ANY_NUMBER]
        self._write()
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAULTS_DIRECTORY": os.path.realpath(directory),
            "FAULTS_CONTROL": str(control),
            **({"FAULTS_RECORD": str(self._record)} if record else {}),
        }

    def set_clock(self, offset: int) -> None:
        """Put the wall clock ``offset`` seconds off the real one; clocks that nobody sets go on."""
        self._set(0, offset)

    def fill(self, writes: int = 0) -> None:
        """The disk is full after so many more writes."""
        self._set(1, writes, ENOSPC)

    def make_room(self) -> None:
        """There is room again."""
        self._set(1, ANY_NUMBER, 0)

    def fail_syncs(self, left: int = 0, then: int = ANY_NUMBER) -> None:
        """After ``left`` more syncs one fails. ``then`` so many work again: any number, or none on a broken disk."""
        self._set(3, left, EIO, then)

    def mend(self) -> None:
        """Syncs work again."""
        self._set(3, ANY_NUMBER, 0, ANY_NUMBER)

    def recorded(self) -> Iterator[Entry]:
        """All that changed files, in its order."""
        with self._record.open("rb") as file:
            while head := file.read(ENTRY.size):
                operation, number, offset, length = ENTRY.unpack(head)
                yield Entry(Operation(operation), number, offset, file.read(length))

    def _set(self, first: int, *values: int) -> None:
        self._values[first : first + len(values)] = values
        self._write()

    def _write(self) -> None:
        CONTROL.pack_into(self._control, 0, *self._values)


def build(library: Path) -> None:
    """Compile ``faults.c``."""
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-w", "-o", library, SOURCE], check=True)
