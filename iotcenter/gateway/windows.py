"""How many bytes each client may send ahead, out of what all of them may together."""

from __future__ import annotations

LARGEST = 2 * 1024 * 1024
"""The most for one channel, as OpenSSH lets us: 160 Mbit/s over 100 ms."""

LEAST = 64 * 1024
"""What every channel has, however many there are: two packets, and 5 Mbit/s over 100 ms."""

TOGETHER = 128 * 1024 * 1024
"""What all channels may have together, besides the least of each: a server with little memory bears it that all devices
stop reading at once."""

SHARE = 8
"""Who comes next gets an eighth of what is left at most, so that there is something left for those behind."""


class Windows:
    """Gives out windows, and takes them back when their tunnels are gone: a device that does not read has all that came
    by a channel still before it when the channel is closed."""

    def __init__(self) -> None:
        self._left = TOGETHER

    def take(self) -> int:
        """The window of another channel, in bytes."""
        window = min(LARGEST, max(LEAST, self._left // SHARE))
        self._left -= window
        return window

    def give_back(self, window: int) -> None:
        """Nothing that came by that window is under way any more."""
        self._left += window
