"""How long a message may wait for its answer before it is sent again: found out, once there were answers."""

from __future__ import annotations

SLOWEST = 2.0
"""Seconds that RFC 7252 has for it (section 4.8), as long as nothing is known, and at most."""

QUICKEST = 0.5
"""Seconds on the quickest path: the server's disk needs some of them."""

SMOOTHED, DEVIATION, DEVIATIONS = 1 / 8, 1 / 4, 4
"""How much the newest answer counts, and by how much answers may be late (RFC 6298, section 2)."""


class Pace:
    """The first wait of the next message.

    Where it was sent more than once nobody knows which one was answered (Karn's algorithm), so then the next one waits
    for twice as long: a path that has become slow is not filled with repetitions.
    """

    def __init__(self) -> None:
        self.wait = SLOWEST
        self._mean = self._deviation = 0.0

    def answered(self, took: float, tries: int) -> None:
        """An answer came so many seconds after the first of so many tries."""
        if tries > 1:
            self.wait = min(self.wait * 2, SLOWEST)
            return
        if self._mean:
            self._deviation += DEVIATION * (abs(took - self._mean) - self._deviation)
            self._mean += SMOOTHED * (took - self._mean)
        else:
            self._mean, self._deviation = took, took / 2
        self.wait = min(max(self._mean + DEVIATIONS * self._deviation, QUICKEST), SLOWEST)
