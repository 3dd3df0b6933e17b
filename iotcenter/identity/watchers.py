"""Who wants to know at once when a device may no longer come in."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from iotcenter.model import DeviceId

Barred = Callable[[str], None]
"""Called once, with the reason."""


class Watchers:
    """Those who wait, by device: one for each link that stands open."""

    _log = Logger()

    def __init__(self) -> None:
        self._waiting: dict[DeviceId, dict[object, Barred]] = {}

    def add(self, device: DeviceId, barred: Barred) -> Callable[[], None]:
        """Call ``barred`` when ``bar`` is called for ``device``. Returns a function that ends the wait."""
        key = object()
        self._waiting.setdefault(device, {})[key] = barred
        return lambda: self._forget(device, key)

    def bar(self, device: DeviceId, reason: str) -> None:
        """Tell everybody who watches ``device``, now and once. One who fails does not keep it from the others."""
        for barred in self._waiting.pop(device, {}).values():
            try:
                barred(reason)
            except Exception:
                self._log.failure("a link of the device {device} was not closed", device=device)

    def _forget(self, device: DeviceId, key: object) -> None:
        waiting = self._waiting.get(device, {})
        waiting.pop(key, None)
        if not waiting:
            self._waiting.pop(device, None)
