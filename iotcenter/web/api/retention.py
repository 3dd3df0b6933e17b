"""For how long the readings of a device are kept."""

from __future__ import annotations

from twisted.web.server import Request

from iotcenter.config import KeptDays
from iotcenter.model import Noun, Role
from iotcenter.web.guard import api
from iotcenter.web.keeping import RetentionChange, change_retention
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


class Retention(Noun, frozen=True, omit_defaults=False):
    """For how many days a series is kept, as it came and summed up; 0: for ever, null: as the configuration says."""

    raw: KeptDays | None = None
    minutes: KeptDays | None = None
    hours: KeptDays | None = None
    days: KeptDays | None = None


class RetentionHandlers:
    """Shows and changes for how long each series of a device is kept."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._devices = parts.center.devices
        self._store = parts.store

    @api("/devices/<name>/retention", role=Role.VIEWER, failures=(404,))
    async def show(self, request: Request, principal: Principal, name: str) -> dict[str, Retention]:
        """The rule of each series of a device that has readings."""
        kept = await self._store.readings.keep(self._devices.named(name).id)
        return {series: Retention(keep.raw, keep.minutes, keep.hours, keep.days) for series, keep in kept.items()}

    @api("/devices/<name>/retention", role=Role.ADMIN, method="PATCH", failures=(404,))
    async def change(self, request: Request, principal: Principal, name: str, body: RetentionChange) -> Retention:
        """Keep a series for longer or shorter from now on. What is older is deleted at once, and does not come back."""
        keep = await change_retention(self._parts, principal, name, body)
        return Retention(keep.raw, keep.minutes, keep.hours, keep.days)
