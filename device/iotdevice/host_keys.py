"""The public keys of this machine's own SSH server: what the server tells those who come, so that they know it."""

from __future__ import annotations

import re
from pathlib import Path

from iotcenter.model import HOST_KEY

PATTERN = "ssh_host_*_key.pub"

MAX_FILE = 16 * 1024
"""Bytes of a file that are read: a key has some 700."""

MAX_KEYS = 8
"""As many as a greeting may name; sshd makes three."""


def host_keys(folder: Path) -> tuple[str, ...]:
    """The keys in ``folder``, without their comments; those of kinds that nobody should trust any more are left out."""
    try:
        files = sorted(folder.glob(PATTERN))
    except OSError:
        return ()
    return tuple(key for key in map(_key, files) if key)[:MAX_KEYS]


def _key(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            line = opened.read(MAX_FILE).decode("ascii", "replace")
    except OSError:
        return ""
    key = " ".join(line.split()[:2])
    return key if re.fullmatch(HOST_KEY, key) else ""
