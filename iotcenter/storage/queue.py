"""What waits to be written into the inbox, and how much of it is of whom. It owns no file and no thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from iotcenter.model import DeviceId
from iotcenter.storage.blocks import device_key, key_at
from iotcenter.storage.errors import StorageError

Done = Callable[[StorageError | None], None]


class Waiting(NamedTuple):
    """Records that wait to be written, their bytes in all, and who wants to know."""

    records: Sequence[bytes]
    size: int
    done: Done


class Queue:
    """First in, first out. What is of whom is counted only while somebody asks: this is where every reading passes."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []
        self._bytes_of: Counter[bytes] | None = None
        self.bytes = 0
        """All that waits."""

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, records: Sequence[bytes], done: Done) -> None:
        """Let ``records`` wait."""
        one = Waiting(records, sum(map(len, records)), done)
        self._waiting.append(one)
        self.bytes += one.size
        if self._bytes_of is not None:
            _count([one], self._bytes_of)

    def take(self, most: int) -> list[Waiting]:
        """What has waited for longest, up to ``most`` bytes; one at least, where there is one."""
        count, size = 0, 0
        for one in self._waiting:
            if size + one.size > most and count:
                break
            size += one.size
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        self.bytes -= size
        self._bytes_of = None
        return taken

    def bytes_of(self, device: DeviceId) -> int:
        """How much of what waits is of one device. It counts through all of it, once for each ``take``."""
        if self._bytes_of is None:
            self._bytes_of = Counter()
            _count(self._waiting, self._bytes_of)
        return self._bytes_of[device_key(device)]


def _count(waiting: Iterable[Waiting], bytes_of: Counter[bytes]) -> None:
    for one in waiting:
        for record in one.records:
            bytes_of[key_at(record, 0)] += len(record)
