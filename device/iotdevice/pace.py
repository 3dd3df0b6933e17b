"""How much one piece of a file carries: little enough that a reading which comes behind it does not wait long."""

from __future__ import annotations

from iotcenter.wire.messages import MAX_CHUNK

LEAST = 4 * 1024
"""Bytes of the smallest piece: below it a slow link carries more of frames than of content."""

FIRST = 16 * 1024
"""Bytes of the first piece, before anything is known of the link."""

QUICK = 0.25
SLOW = 0.75
"""Seconds that a piece may take beyond the round trip: quicker ones are followed by larger, slower by smaller ones."""


class Pace:
    """The size of the next piece, from how long the last ones took."""

    def __init__(self) -> None:
        self.size = FIRST
        self._round_trip = float("inf")

    def took(self, seconds: float) -> None:
        """A piece, or a question without one, was answered after so many seconds."""
        self._round_trip = min(self._round_trip, seconds)
        beyond = seconds - self._round_trip
        if beyond < QUICK:
            self.size = min(self.size * 2, MAX_CHUNK)
        elif beyond > SLOW:
            self.size = max(self.size // 2, LEAST)
