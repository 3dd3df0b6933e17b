"""The files of which not all has come: at most one of each device, and a bounded number of all."""

from __future__ import annotations

from collections.abc import Iterable

from iotcenter.model import DeviceId
from iotcenter.storage.errors import Busy
from iotcenter.storage.folder import Part

MOST = 100
"""How many may be under way at once: with the largest files that are usual, 2 GB of disk."""

IN_USE = 60.0
"""Seconds after its last piece within which a file makes no way for another device's."""

FORGOTTEN = 7 * 86400.0
"""Seconds after which nobody expects the rest any more: its device begins anew, should it ever come."""


class Unfinished:
    """Knows which bytes are here, so that no disk has to be asked with each piece."""

    def __init__(self) -> None:
        self._parts: dict[DeviceId, Part] = {}

    def load(self, parts: Iterable[Part]) -> list[Part]:
        """Take up what is on disk, of one device the newest; the others, which nobody will go on with."""
        older = []
        for part in sorted(parts, key=lambda part: part.changed):
            if part.device in self._parts:
                older.append(self._parts[part.device])
            self._parts[part.device] = part
        return older

    def forget(self, now: float) -> list[Part]:
        """The parts that nobody will go on with."""
        forgotten = [part for part in self._parts.values() if now - part.changed > FORGOTTEN]
        return [self._parts.pop(part.device) for part in forgotten]

    def have(self, device: DeviceId, number: int) -> int | None:
        """How many bytes of that file are here; None where it has not begun."""
        part = self._parts.get(device)
        return part.have if part is not None and part.number == number else None

    def begin(self, device: DeviceId, number: int, now: float) -> list[Part]:
        """A device begins with another file; the parts that are dropped for it. Raises ``Busy``."""
        mine = self._parts.pop(device, None)
        dropped = [mine] if mine is not None else []
        if len(self._parts) >= MOST:
            oldest = min(self._parts.values(), key=lambda part: part.changed)
            if now - oldest.changed < IN_USE:
                raise Busy("Many devices are sending files: try again.")
            dropped.append(self._parts.pop(oldest.device))
        self._parts[device] = Part(device, number, 0, now)
        return dropped

    def grow(self, device: DeviceId, number: int, have: int, now: float) -> None:
        """So many bytes of the file are here now."""
        self._parts[device] = Part(device, number, have, now)

    def end(self, device: DeviceId) -> Part | None:
        """The device's file is whole, or is given up."""
        return self._parts.pop(device, None)
