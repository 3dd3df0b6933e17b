"""Memory that glibc keeps for itself, given back to the system: a small board needs it for other things."""

from __future__ import annotations

import ctypes
import gc
from typing import Any

LARGE_BLOCK = 4 * 1024 * 1024
"""From how many bytes on a block of memory goes back to the system at once when it is freed."""

BETWEEN_LOOKS = 10_000
"""By how many objects there must be more before garbage is looked for among the new ones: a megabyte or so. A burst
makes some thousand that live for a moment. With Python's 700 they were searched all the time, which took a twentieth of
a busy server."""

_M_MMAP_THRESHOLD = -3  # from glibc's malloc.h


def return_large_blocks() -> None:
    """Keep glibc from holding on to a block of many megabytes, as it does from the second one of that size on."""
    mallopt = _from_glibc("mallopt")
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK)


def settle() -> None:
    """After the start: give back what only the start needed, and look for garbage among the rest no more."""
    gc.collect()
    trim = _from_glibc("malloc_trim")
    if trim is not None:
        trim(0)
    gc.set_threshold(BETWEEN_LOOKS)
    gc.freeze()  # code and what was just read stay: looking for garbage among them took a tenth of a busy server


def _from_glibc(name: str) -> Any:
    """A function of the C library; None where that is another one, which returns free memory anyway."""
    return getattr(ctypes.CDLL(None), name, None)
