"""Saying once what goes wrong again and again."""

from __future__ import annotations

from iotcenter.model import LogLevel
from iotdevice.clock import Clock
from iotdevice.devicelog import DeviceLog

AGAIN = 3600.0
"""Seconds after which an error that goes on is said again: a log that nobody reads need not fill, one that is read
shows it."""

MAX_KINDS = 20
"""How many different errors of one thing are told apart: texts with a changing number in them must not pile up."""


class Trouble:
    """The errors of one thing, a sensor say, as the device's log gets them."""

    def __init__(self, name: str, clock: Clock, log: DeviceLog) -> None:
        self._name = name
        self._clock = clock
        self._log = log
        self._said: dict[str, float] = {}
        self._unsaid = 0
        self._failures = 0
        self._told = False

    def failed(self, error: str, level: LogLevel = LogLevel.ERROR) -> None:
        """It failed with ``error``: logged, if that was not said within the last hour."""
        now = self._clock.now()
        self._failures += 1
        self._said = {text: said for text, said in self._said.items() if now - said < AGAIN}
        if error in self._said or len(self._said) >= MAX_KINDS:
            self._unsaid += 1
            return
        self._said[error] = now
        self._told = True
        more = f" ({self._unsaid} more failures since the last line)" if self._unsaid else ""
        self._unsaid = 0
        self._log.say(f"{self._name}: {error}{more}", level)

    def worked(self) -> None:
        """It worked: logged, if the log says that it does not."""
        failures, self._failures = self._failures, 0
        told, self._told = self._told, False
        if told:
            self._log.say(f"{self._name} works again, after {failures} failure{'s' if failures > 1 else ''}")
