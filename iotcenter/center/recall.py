"""Where series went before the server was started: trends do not begin anew with it."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from iotcenter.center.devices import Devices
from iotcenter.center.known import KnownDevice
from iotcenter.center.trend import MINUTE, MINUTES
from iotcenter.storage.answers import BucketColumns
from iotcenter.storage.errors import StorageError
from iotcenter.storage.readings import Question
from iotcenter.storage.store import Store

MOST = 5000
"""Series of which the last hour is looked up, each some milliseconds of a database that others ask meanwhile. Those
beyond them begin anew."""


class Recall:
    """Looks up the last hour of one series after the other, once, while the server works."""

    _log = Logger()

    def __init__(self, store: Store, devices: Devices, seconds: Callable[[], float]) -> None:
        self._store = store
        self._devices = devices
        self._seconds = seconds
        self._running: Deferred[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(lambda failure: failure.trap(CancelledError))
        self._running.addErrback(lambda failure: self._log.failure("Trends were not looked up", failure))

    def stop(self) -> None:
        """Look up no more."""
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        since = self._seconds() - MINUTES * MINUTE
        for known, name in self._devices.measuring(since)[:MOST]:
            try:
                await self._look_up(known, name, since)
            except StorageError as error:
                self._log.warn("Trends begin anew: {why}", why=str(error))
                return

    async def _look_up(self, known: KnownDevice, name: str, since: float) -> None:
        columns = await self._store.readings.query(Question(known.id, name, since, self._seconds(), MINUTE))
        if isinstance(columns, BucketColumns):
            means = zip(columns.t, columns.mean, strict=True)
            known.recall(name, [(int(time // MINUTE), mean) for time, mean in means if mean is not None])
