"""How far a backup has got, for whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Told what is being done, in a word or two, and how many bytes of how many."""


def silent(step: str, done: int, total: int) -> None:
    """Nobody waits."""
