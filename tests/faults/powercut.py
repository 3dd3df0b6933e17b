"""Power cuts: what may be on a disk when the power goes, told from the record of what a program did to its files.

What was synced is there. Of the rest anything may be: all, nothing, or single sectors of a write.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from iotcenter.interfaces import Refused
from tests.faults.books import numbers
from tests.faults.desk import Desk
from tests.faults.disk import Entry, Operation
from tests.faults.storing import ACKNOWLEDGED, report

SECTOR = 512
"""Bytes that a disk writes as one."""

AGAIN = 3
"""How many of the last readings of each device come once more after the cut, as from one that missed the answer."""


@dataclass
class File:
    """A file on the disk: what is safe, and the writes (or lengths that it was cut to) that are not."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        """All is safe."""
        for offset, data in self.pending:
            _apply(self.durable, offset, data)
        self.pending.clear()

    def fail(self, chance: Random) -> None:
        """A sync failed: some was written, and nobody will try the rest again."""
        self.pending = [change for change in self.pending if chance.random() < 0.5]
        self.sync()

    def after_cut(self, chance: Random, survives: float) -> bytes:
        """What is left of it, where each unsafe write survives with that probability, or a part of it does."""
        content = bytearray(self.durable)
        for offset, data in self.pending:
            if chance.random() < survives:
                _apply(content, offset, data)
            elif data is not None and 0 < survives < 1:
                for start in range(0, len(data), SECTOR):
                    if chance.random() < survives:
                        _apply(content, offset + start, data[start : start + SECTOR])
        return bytes(content)


class Disk:
    """The files of a directory while a record is played."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._open: dict[int, File] = {}
        self._names: dict[str, File] = {}
        self._durable_names: dict[str, File] = {}
        self._folders: set[str] = set()
        """They are opened too, to be synced."""

    def play(self, entry: Entry) -> None:
        """What the program did next."""
        operation, number, offset, data = entry
        if operation is Operation.OPEN:
            file = self._open[number] = self._names.setdefault(data.decode(), File())
            self._folders.update(map(str, Path(data.decode()).parents))
            if offset:
                file.pending.append((0, None))
        elif operation is Operation.RENAME:
            old, new = data.decode().split("\0")
            self._names[new] = self._names.pop(old)
        elif operation is Operation.UNLINK:
            self._names.pop(data.decode(), None)
        else:
            self._change(self._open[number], operation, offset, data)

    def _change(self, file: File, operation: Operation, offset: int, data: bytes) -> None:
        if operation is Operation.WRITE:
            file.pending.append((offset, data))
        elif operation is Operation.TRUNCATE:
            file.pending.append((offset, None))
        elif operation is Operation.ALLOCATE:
            file.pending.append((offset, b""))
        elif operation is Operation.SYNC_FAILED:
            file.fail(self._chance)
        else:
            file.sync()
            self._durable_names = dict(self._names)  # file systems write names down in order, with the next sync

    def cut(self, directory: Path) -> None:
        """Leave in ``directory`` what may be on the disk if the power goes now."""
        names = self._chance.choice((self._names, self._durable_names))
        survives = self._chance.choice((0.0, 0.5, 1.0))
        root = next((Path(name).parent for name in names if Path(name).name == ACKNOWLEDGED), Path())
        for name in names.keys() - self._folders:
            if Path(name).name != ACKNOWLEDGED and Path(name).is_relative_to(root) and Path(name) != root:
                place = directory / Path(name).relative_to(root)
                place.parent.mkdir(exist_ok=True)
                place.write_bytes(names[name].after_cut(self._chance, survives))


@dataclass
class Books:
    """What devices were told: the last reading of each that was acknowledged, in order."""

    acknowledged: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _open: set[int] = field(default_factory=set)

    def play(self, entry: Entry) -> None:
        """Take down what a device was told, if it was."""
        if entry.operation is Operation.OPEN:
            (self._open.add if Path(entry.data.decode()).name == ACKNOWLEDGED else self._open.discard)(entry.file)
        elif entry.operation is Operation.WRITE and entry.file in self._open:
            device, first, count = entry.data.decode().split()
            self.acknowledged[device].update(range(int(first), int(first) + int(count)))


def cuts(entries: Iterable[Entry], count: int, chance: Random, folder: Path) -> Iterator[tuple[Path, Books]]:
    """``count`` disks after a cut at a random moment, and what devices had been told by then."""
    entries = list(entries)
    moments = Counter(chance.randrange(1, len(entries)) for _ in range(count))
    disk, books = Disk(chance), Books()
    for moment, entry in enumerate(entries):
        for number in range(moments[moment]):
            directory = folder / f"cut-{moment}-{number}"
            directory.mkdir(parents=True)
            disk.cut(directory)
            yield directory, books
        disk.play(entry)
        books.play(entry)


async def judge(reactor: Any, directory: Path, books: Books) -> list[str]:
    """What a server makes of ``directory``, and what is wrong with that: nothing, as it should be."""
    desk = Desk(directory, reactor)
    faults: list[str] = []
    try:
        await desk.begin()
        for device, numbers in books.acknowledged.items():
            faults += await judge_device(desk, device, numbers)
    except Refused:
        faults.append("a device is lost")
    finally:
        await desk.close()
    return faults + damage(directory)


async def judge_device(desk: Desk, device: str, acknowledged: set[int]) -> list[str]:
    """What is wrong with a device, of which so much was ``acknowledged``. It hands in the last of that again."""
    last = sorted(acknowledged)[-AGAIN:]
    if not await desk.attach(device).hand_in(report(last[0], len(last))):
        return [f"nothing is taken from {device}"]
    found = Counter(await numbers(desk.store, device))
    lost = [f"{number} of {device} is lost" for number in acknowledged - found.keys()]
    return lost + [f"{number} of {device} is there twice" for number, count in found.items() if count > 1]


def damage(directory: Path) -> list[str]:
    """What SQLite finds wrong with the databases in ``directory``."""
    found = []
    for path in sorted(directory.glob("*.db")):
        with closing(sqlite3.connect(path)) as connection:
            found += [f"{path.name}: {row}" for (row,) in connection.execute("PRAGMA integrity_check") if row != "ok"]
    return found


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data
