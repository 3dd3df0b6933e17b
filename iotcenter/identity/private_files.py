"""Files that nobody else on the machine may read, written so that they are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.logger import Logger

from iotcenter.identity.errors import IdentityError
from iotcenter.storage.durable import sync_directory

MAX_SIZE = 256 * 1024
"""The most that is read of a file: keys and chains of certificates are a few kilobytes."""

_log = Logger()


def make_private_directory(directory: Path) -> None:
    """Make ``directory`` where it is missing, for its owner alone; one that others may enter is tightened."""
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        _tighten(directory, directory.stat().st_mode, 0o700)
        sync_directory(directory.parent)
    except OSError as error:
        raise IdentityError(f"cannot make the directory {directory}: {error.strerror}") from error


def write_private(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` in one step that survives a power cut, readable by the owner alone."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)  # left by a start that was killed
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        raise IdentityError(f"cannot write {path}: {error.strerror}") from error


def read_private(path: Path) -> bytes | None:
    """What is in ``path``, or ``None`` where there is no such file. Permissions that are too wide are tightened."""
    try:
        with path.open("rb") as file:
            _tighten(path, os.fstat(file.fileno()).st_mode, 0o600)
            return file.read(MAX_SIZE)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IdentityError(f"cannot read {path}: {error.strerror}") from error


def _tighten(path: Path, mode: int, allowed: int) -> None:
    if mode & 0o777 & ~allowed:
        path.chmod(allowed)
        _log.warn("{path} was open to others (mode {mode:o}): closed now", path=path, mode=mode & 0o777)
