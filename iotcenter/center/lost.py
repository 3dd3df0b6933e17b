"""What a device says that it had to throw away, over all the times that its own count began anew."""

from __future__ import annotations


class Lost:
    """``total`` is what was ever lost, ``told`` what the device said last: it counts from 0 again when it is set up
    anew, or has nowhere to keep its count."""

    def __init__(self, total: int = 0, told: int = 0) -> None:
        self.total = total
        self.told = told

    def say(self, told: int) -> bool:
        """The device says that it lost ``told`` readings so far; whether that is news."""
        if told == self.told:
            return False
        self.total += told - self.told if told > self.told else told
        self.told = told
        return True
