"""One server for each data directory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from iotcenter.storage.errors import NotWritable, StorageError

FILE = "lock"

UNFINISHED = "restoring"
"""The folder in a data directory that is there while a backup is restored into it."""


class Locked(StorageError):
    """Another IotCenter uses this data directory."""


class Unfinished(StorageError):
    """Restoring a backup into this data directory was not finished."""


class DataLock:
    """Holds a data directory for this process. It ends with the process, however that ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, directory: Path, unfinished: bool = False) -> DataLock:
        """Take hold of ``directory``, made where it is missing, for its owner alone.

        Raises ``Locked``, which names the process that holds it, ``NotWritable``, and ``Unfinished`` unless the caller
        can make good for that.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(directory / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise NotWritable(f"The data directory {directory} cannot be written: {error.strerror}.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise Locked(f"Process {holder} uses the data directory {directory}: stop it first.") from error
        lock = cls(descriptor)
        lock.sign()
        if (directory / UNFINISHED).exists() and not unfinished:
            lock.release()
            raise Unfinished(f"Restoring a backup into {directory} was not finished: do that again first.")
        return lock

    def sign(self) -> None:
        """Write down which process holds the lock; again after a fork, which takes the lock along."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Let go. The file stays: removing it would let two processes hold a lock of that name."""
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
