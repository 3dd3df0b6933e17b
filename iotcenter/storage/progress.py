"""Which of a device's readings have come: a high-water mark and the gaps below it. No clock, no disk."""

from __future__ import annotations

import msgspec

Range = tuple[int, int]
"""Sequence numbers from the first to the last, both included."""

MOST_GAPS = 64
"""Gaps that are remembered for one boot. Devices send in order, so a gap is what a full spool threw away, and stays;
the few that are filled are the newest. Where there are more, the lowest is closed: what would still come for it would
count as a repetition."""

_ranges = msgspec.msgpack.Decoder(tuple[Range, ...])


class Progress(msgspec.Struct, frozen=True):
    """Everything from 1 to ``high`` has come, but for ``gaps``: ranges in rising order, apart from each other."""

    high: int = 0
    gaps: tuple[Range, ...] = ()

    def add(self, first: int, last: int) -> tuple[Progress, tuple[Range, ...]]:
        """The progress once ``first`` to ``last`` have come, and which of them had not come before."""
        if first == self.high + 1:  # as nearly always
            return Progress(last, self.gaps), ((first, last),)
        missing = self.gaps if last <= self.high else (*self.gaps, (self.high + 1, last))
        gaps = _without(missing, first, last)[-MOST_GAPS:]
        return Progress(max(self.high, last), gaps), _overlaps(missing, first, last)

    def packed_gaps(self) -> bytes:
        """The gaps as bytes, for ``unpacked``."""
        return msgspec.msgpack.encode(self.gaps)


def unpacked(kept: tuple[int, bytes]) -> Progress:
    """The progress of which the high-water mark and the packed gaps were kept."""
    high, packed_gaps = kept
    return Progress(high, _ranges.decode(packed_gaps))


def _overlaps(ranges: tuple[Range, ...], first: int, last: int) -> tuple[Range, ...]:
    """What of ``ranges`` lies within ``first`` to ``last``."""
    return tuple((max(low, first), min(high, last)) for low, high in ranges if low <= last and first <= high)


def _without(ranges: tuple[Range, ...], first: int, last: int) -> tuple[Range, ...]:
    """What of ``ranges`` lies outside ``first`` to ``last``."""
    left: list[Range] = []
    for low, high in ranges:
        if low < first:
            left.append((low, min(high, first - 1)))
        if high > last:
            left.append((max(low, last + 1), high))
    return tuple(left)
