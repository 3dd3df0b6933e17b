"""What the parts of an application run on."""

from __future__ import annotations

from typing import NamedTuple

from iotdevice.clock import Clock
from iotdevice.devicelog import DeviceLog
from iotdevice.health import Health
from iotdevice.trouble import Trouble
from iotdevice.workers import Runs


class Stage(NamedTuple):
    """Threads for plain functions, the time, the device's log, and where it is noted how the application fares."""

    threads: Runs
    clock: Clock
    log: DeviceLog
    health: Health

    def trouble(self, name: str) -> Trouble:
        """What goes wrong with ``name``, for the log."""
        return Trouble(name, self.clock, self.log)
