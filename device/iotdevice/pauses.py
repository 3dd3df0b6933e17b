"""How long to wait before the next try, so that a server that returns is not run down by all its devices at once."""

from __future__ import annotations

from collections.abc import Callable

SHORTEST = 1.0
LONGEST = 120.0

GOOD_LINK = 60.0
"""Seconds that a link must have worked for the pauses to begin anew: one that breaks at once may break each time."""


class Pauses:
    """Growing pauses with full jitter: each is anything from a second to a bound that doubles. ``random`` gives 0 to
    1."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._tries = 0

    def next(self, worked: float) -> float:
        """The pause after a link that was open for ``worked`` seconds, 0 where none came about."""
        self._tries = 1 if worked >= GOOD_LINK else self._tries + 1
        return SHORTEST + self._random() * (min(LONGEST, 2.0 ** min(self._tries, 16)) - SHORTEST)

    def longest(self) -> float:
        """The pause where hurry is of no use; it is jittered too."""
        return LONGEST * (0.75 + 0.25 * self._random())
