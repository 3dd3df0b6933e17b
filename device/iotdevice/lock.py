"""One agent on a data directory: two would number the same readings."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Locked(Exception):
    """Another process works on the data directory; the text says which."""


class DataLock:
    """An exclusive lock on a data directory, which ends with the process that holds it at the latest."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "lock"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise Locked(f"{directory} is in use by process {holder or 'unknown'}") from None
        self.sign()

    def sign(self) -> None:
        """Write down which process holds the lock; again after a fork, which takes the lock along."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another process in. May be called again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def holder(directory: Path) -> int | None:
    """The process that holds the lock of ``directory``, None where none does."""
    try:
        lock = DataLock(directory)
    except Locked:
        text = (directory / "lock").read_text("ascii", "replace").strip()
        return int(text) if text.isdigit() else 0
    lock.release()
    return None
