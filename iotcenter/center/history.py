"""What was measured."""

from __future__ import annotations

from datetime import UTC, tzinfo

from iotcenter.center.devices import Devices
from iotcenter.storage.arrivals import Run
from iotcenter.storage.readings import Columns, Question
from iotcenter.storage.store import Store


class History:
    """Answers questions about the past by devices' names."""

    def __init__(self, store: Store, devices: Devices) -> None:
        self._store = store
        self._devices = devices

    async def query(
        self, name: str, series: str, start: float, end: float, step: float | None, zone: tzinfo = UTC
    ) -> Columns:
        """The readings of a series from ``start`` up to ``end``, raw (``step`` 0), or in buckets of ``step`` seconds.

        Without ``step`` one is chosen. Buckets lie as the clocks of ``zone`` go. Raises ``UnknownDevice``, and
        ``TooMuch`` where the answer would be too long.
        """
        known = self._devices.named(name)
        return await self._store.readings.query(Question(known.id, series, start, end, step, zone))

    async def arrivals(self, name: str, limit: int) -> tuple[Run, ...]:
        """When a device's readings came: the last runs, newest first. Raises ``UnknownDevice``."""
        return await self._store.arrivals.of(self._devices.named(name).id, limit)
