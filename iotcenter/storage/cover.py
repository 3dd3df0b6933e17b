"""How a span of time is put together from tiers: as coarse as its buckets allow, and finer at its edges. No disk.

Times are in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from iotcenter.storage.steps import Stretch
from iotcenter.storage.tiers import DAY, HOUR, LEVELS, MINUTE, RAW, TIERS, Tier, finer

FOREVER = 2**62


class Kept(NamedTuple):
    """From when on a series still has its days, hours, minutes and raw readings, in rising order."""

    days: int = 0
    hours: int = 0
    minutes: int = 0
    raw: int = 0


class Piece(NamedTuple):
    """Buckets of one level from ``start`` up to ``end``, which are multiples of its width."""

    level: Tier
    start: int
    end: int


class PlacedPiece(NamedTuple):
    """A piece throughout which the clocks are ``offset`` ahead of UTC."""

    piece: Piece
    offset: int


def coarsest(step: int, parts: Sequence[Stretch]) -> Tier:
    """The coarsest level of which buckets of ``step`` are made up, on clocks that are set as in ``parts``."""
    fits = (tier for tier in TIERS if all(number % tier.width == 0 for number in (step, *(part[2] for part in parts))))
    return next(fits, RAW)


def cover(start: int, end: int, coarse: Tier, kept: Kept, widened: bool = True) -> list[Piece]:
    """Pieces that make up the time from ``start`` up to ``end``, in order, none coarser than it must be to use
    ``coarse``.

    Where only coarser levels are left, the span is widened to whole buckets of those; unless it is not to be
    ``widened``, since it goes on where another ended: it then has the buckets that begin in it.
    """
    pieces: list[Piece] = []
    for finest, (low, high) in zip((DAY, HOUR, MINUTE, RAW), pairwise((*kept, FOREVER)), strict=True):
        first, last = max(start, low), min(end, high)
        if first < last:
            level = min(coarse, finest, key=LEVELS.index)
            begin = _down(first, finest) if widened else -_down(-first, finest)
            pieces += _cover(begin, -_down(-last, finest), level, finest)
    return pieces


def place(pieces: Sequence[Piece], parts: Sequence[Stretch]) -> Iterator[PlacedPiece]:
    """The pieces cut where the clocks are changed. A bucket is not cut: it goes with the moment at which it begins."""
    for piece in pieces:
        for start, end, offset in parts:
            first = max(piece.start, -_down(-start, piece.level) if start > parts[0].start else piece.start)
            last = min(piece.end, -_down(-end, piece.level) if end < parts[-1].end else piece.end)
            if first < last:
                yield PlacedPiece(Piece(piece.level, first, last), offset)


def _cover(start: int, end: int, level: Tier, finest: Tier) -> list[Piece]:
    if start >= end:
        return []
    low, high = -_down(-start, level), _down(end, level)
    if level is finest:
        return [Piece(level, start, end)]
    if low >= high:
        return _cover(start, end, finer(level), finest)
    below = finer(level)
    return [*_cover(start, low, below, finest), Piece(level, low, high), *_cover(high, end, below, finest)]


def _down(time: int, level: Tier) -> int:
    return time // level.width * level.width
