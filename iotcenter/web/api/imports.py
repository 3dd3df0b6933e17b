"""What other programs measured before, in pieces of bounded size."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from twisted.web.server import Request

from iotcenter.center.errors import UnknownDevice
from iotcenter.center.known import KnownDevice
from iotcenter.model import MAX_LINE, DeviceName, Number, Reading, Role, Time
from iotcenter.storage.importing import Imported
from iotcenter.web.api.taken import Taken
from iotcenter.web.guard import api
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal

LogText = Annotated[str, Meta(max_length=MAX_LINE)]

MOST_IMPORTED = 2000
"""Readings or lines in one piece of an import: what fits into a body, and is written in some milliseconds."""


class NewReadings(Taken, frozen=True):
    """Readings that were measured before, of one series: Unix times with values. ``add_device`` makes the device where
    there is none of that name."""

    device: DeviceName
    series: Annotated[str, Meta(min_length=1, max_length=64)]
    readings: Annotated[tuple[tuple[Time, Number | bool | LogText], ...], Meta(max_length=MOST_IMPORTED)]
    add_device: bool = False


class NewLines(Taken, frozen=True):
    """Lines of a log that were written before: Unix times with texts. ``add_device`` as in readings."""

    device: DeviceName
    lines: Annotated[tuple[tuple[Time, LogText], ...], Meta(max_length=MOST_IMPORTED)]
    add_device: bool = False


class ImportHandlers:
    """Takes in readings and lines of logs, each once, however often they are brought."""

    def __init__(self, parts: Parts) -> None:
        self._devices = parts.center.devices
        self._accounts = parts.accounts
        self._imports = parts.store.imports
        self._clock = parts.clock

    @api("/imports/readings", role=Role.ADMIN, method="POST", failures=(404,))
    async def readings(self, request: Request, principal: Principal, body: NewReadings) -> Imported:
        """Add readings of one series. The same value at the same time is the same reading, and is added once."""
        known = await self._device(body.device, body.add_device, principal)
        imported = await self._imports.readings(known.id, body.series, body.readings, self._clock.seconds())
        refused = {each.place for each in imported.refused}
        for time, value in (pair for place, pair in enumerate(body.readings) if place not in refused):
            known.newest(Reading(body.series, value, time))
        return imported

    @api("/imports/lines", role=Role.ADMIN, method="POST", failures=(404,))
    async def lines(self, request: Request, principal: Principal, body: NewLines) -> Imported:
        """Add lines to a device's log. The same text at the same time is the same line, and is added once."""
        known = await self._device(body.device, body.add_device, principal)
        return await self._imports.lines(known.id, body.lines, self._clock.seconds())

    async def _device(self, name: str, add: bool, principal: Principal) -> KnownDevice:
        """The device of that name; a new one that never enrolled, where that is wanted. Raises ``UnknownDevice``."""
        try:
            return self._devices.named(name)
        except UnknownDevice:
            if not add:
                raise
            await self._accounts.add(name, "tls", principal.actor)
            return self._devices.named(name)
