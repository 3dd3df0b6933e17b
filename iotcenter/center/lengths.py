"""Lengths of time in words, for reasons, events and the log."""

from __future__ import annotations


def in_words(seconds: float) -> str:
    """A length of time as people say it: ``45 s``, ``3 min``, ``2 h``, ``5 days``."""
    if seconds < 60:
        return f"{seconds:g} s" if seconds < 10 and seconds != int(seconds) else f"{int(seconds)} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    if seconds < 2 * 86400:
        return f"{int(seconds // 3600)} h"
    return f"{int(seconds // 86400)} days"
