"""The files of the inbox, in their order: what is written into them, what is found in them, and what may go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from twisted.logger import Logger

from iotcenter.model import DeviceId
from iotcenter.storage.blocks import BLOCK_HEADER, FIRST, Block, Damaged, Record, pack_block, sound
from iotcenter.storage.errors import disk_errors_in_words
from iotcenter.storage.segment import SEGMENT, SUFFIX, Segment

MOST_IN_BLOCK = 1024 * 1024
"""Bytes of the records in one block. What does not fit behind the others of a file goes to the next: a quarter of a
file is the most that is left empty."""


class View:
    """What is in the inbox at one moment. It can be read for as long as one likes, whatever is merged meanwhile."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = [(segment, segment.end) for segment in segments]

    @property
    def end(self) -> int:
        """The position behind all that it shows."""
        return self._segments[-1][1] if self._segments else 0

    def after(self, position: int, device: DeviceId | None = None) -> Iterator[Record | Damaged]:
        """The records behind ``position``, of one device or of all, in the order in which they came; in place of one
        that cannot be read any more, what is wrong."""
        for segment, end in self._segments:
            if end > position:
                yield from segment.records(position, end, device)


class Journal:
    """The inbox on disk. One thread at a time calls ``append`` and ``drop``; ``view`` is for any."""

    _log = Logger()

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._segments: tuple[Segment, ...] = ()
        self._writing: Segment | None = None
        self._next = 0
        self._last = FIRST

    def open(self, merged: int) -> None:
        """Take up what is there, of which all before the position ``merged`` is in the database. Raises
        ``StorageError``."""
        with disk_errors_in_words():
            self._directory.mkdir(mode=0o700, exist_ok=True)
            found = [Segment.load(path) for path in sorted(self._directory.glob(f"*{SUFFIX}"))]
            kept = self._kept([block for _, blocks in found for block in blocks], merged)
            for segment, blocks in found:
                for block in blocks:
                    if block.position in kept:
                        segment.enter_found(block)
        self._segments = tuple(segment for segment, _ in found)
        self._last = max(kept, default=FIRST)
        ends = [merged, *(segment.base + SEGMENT for segment in self._segments)]
        self._next = max(ends) + -max(ends) % SEGMENT
        self.drop(merged)

    def _kept(self, found: Sequence[Block], merged: int) -> set[int]:
        """The positions of the blocks that count."""
        kept, faults = sound(found, merged)
        if faults:
            self._log.error(
                "The inbox in {directory} is damaged in {faults} places: what could be read of it is kept",
                directory=self._directory,
                faults=faults,
            )
        return {block.position for block in kept}

    def append(self, records: Sequence[bytes]) -> int:
        """Bring ``records``, up to ``MOST_IN_BLOCK`` bytes, to disk; the position behind them. Raises ``StorageError``.

        A file for which that failed is not written again: what the system still keeps of it cannot be trusted.
        """
        with disk_errors_in_words():
            size = BLOCK_HEADER + sum(map(len, records))
            segment = self._segment_for(size)
            block = pack_block(segment.end, self._last, records)
            try:
                segment.write(block)
            except OSError:
                self._give_up(segment)
                raise
        self._last = segment.end
        segment.enter(len(block), _places(segment.used, records))
        return segment.end

    def view(self) -> View:
        """What is there now. To be taken before the position from which on it is read: then nothing is left out."""
        return View(self._segments)

    def bytes_of(self, device: DeviceId) -> int:
        """How much of what is there is of one device."""
        return sum(segment.bytes_of(device) for segment in self._segments)

    def drop(self, merged: int) -> None:
        """Delete the files of which all is in the database. Raises ``StorageError``."""
        with disk_errors_in_words():
            for segment in self._segments:
                if segment is not self._writing and (segment.used == 0 or segment.end <= merged):
                    segment.delete()
                    self._segments = tuple(one for one in self._segments if one is not segment)

    def _segment_for(self, size: int) -> Segment:
        """The file that has room for ``size`` bytes more: the one that is written, or a new one."""
        if self._writing is None or self._writing.used + size > SEGMENT:
            self._writing = None
            self._writing = Segment.create(self._directory, self._next)
            self._next += SEGMENT
            self._segments = (*self._segments, self._writing)
        return self._writing

    def _give_up(self, segment: Segment) -> None:
        self._writing = None
        if segment.used == 0:
            self._segments = self._segments[:-1]
            segment.delete()


def _places(start: int, records: Sequence[bytes]) -> list[tuple[bytes, int]]:
    """The devices of ``records``, and where those begin in their file, behind a header at ``start``."""
    offset, places = start + BLOCK_HEADER, []
    for record in records:
        places.append((record[8:24], offset))
        offset += len(record)
    return places
