"""What the registrar leaves in the logs: a line for each packet, and for a flood of them their number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from iotcenter.interfaces import House
from iotcenter.logs import LogLimit
from iotcenter.transports.registrar_sessions import Sender
from iotcenter.wire.registrar.packets import Packet

MOST_LINES = 100
"""Lines a second in either log. Anybody can send packets, and files that rotate away every minute help nobody."""

SECOND = 1.0

LEFT_OUT = "registrar: {skipped} more lines like this were left out"


class RegistrarLog:
    """Says what was handled in the activity log, and what was refused or is no packet in the error log.

    No line holds a password.
    """

    def __init__(self, house: House) -> None:
        self._handled = _Bounded(house.reactor, house.activity.info)
        self._refused = _Bounded(house.reactor, house.log.warn)

    def note(self, sender: Sender, packet: Packet, code: str) -> None:
        """``packet`` was handled."""
        self._handled.write(
            "{sender} {type} {device_id} {code}",
            sender=str(sender),
            type=packet.TYPE,
            device_id=packet.device_id,
            code=str(code),
        )

    def complain(self, sender: Sender, what: str) -> None:
        """Something is wrong with what ``sender`` sent."""
        self._refused.write("registrar: {sender}: {what}", sender=str(sender), what=what)

    def close(self) -> None:
        """Write down what was left out so far."""
        self._handled.close()
        self._refused.close()


class _Bounded:
    """Writes at most so many lines a second, and how many more there would have been."""

    def __init__(self, clock: Any, write: Callable[..., None]) -> None:
        self._clock = clock
        self._write = write
        self._limit = LogLimit(clock.seconds, MOST_LINES, SECOND)
        self._telling: Any = None

    def write(self, text: str, **parts: object) -> None:
        if self._limit.allow():
            self._write(text, **parts)
        elif self._telling is None:
            self._telling = self._clock.callLater(SECOND, self._tell)

    def close(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._tell()

    def _tell(self) -> None:
        self._telling = None
        self._write(LEFT_OUT, skipped=self._limit.skipped())
