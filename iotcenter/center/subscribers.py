"""Whoever wants to know at once what happens: browsers, above all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from iotcenter.interfaces import Clock
from iotcenter.model import Command, Device, LogLevel, Noun, PresenceState, Trend, Value

READINGS_EVERY = 1.0
"""Seconds between two frames of readings: one message per value would cost browsers 15 times as much."""


class LiveReading(Noun, frozen=True, omit_defaults=False):
    """The newest value of a series."""

    device: str
    series: str
    value: Value
    time: float
    trend: Trend | None = None


class StoredLine(Noun, frozen=True, omit_defaults=False):
    """A line of a device's log as it was kept. ``id`` rises with the order of arrival."""

    id: int
    time: float
    level: LogLevel
    text: str


class StoredFile(Noun, frozen=True, omit_defaults=False):
    """A photo or another file of a device. ``image`` says that its content is a picture that may be shown; then
    ``media_type`` is that of the content, otherwise what the device says.

    ``time`` is when it was made, as far as that is known, ``received`` when the last of it came. ``command`` is the
    number of the command that it is a result of.
    """

    device: str
    id: int
    name: str
    media_type: str
    image: bool
    size: int
    sha256: str
    time: float
    received: float
    command: int | None = None


class ReadingsEvent(Noun, frozen=True):
    """All series that changed since the last such event, each with its newest value."""

    readings: tuple[LiveReading, ...]


class PresenceEvent(Noun, frozen=True, omit_defaults=False):
    """A device came, went, or fell behind."""

    device: str
    state: PresenceState
    reason: str
    last_seen: float | None


class DeviceEvent(Noun, frozen=True):
    """A device is new, or offers something else; ``was`` is its former name where it was renamed."""

    device: Device
    was: str | None = None


class RemovedEvent(Noun, frozen=True):
    """A device is no more."""

    device: str


class CommandEvent(Noun, frozen=True):
    """A command was given, or got on."""

    command: Command


class LogEvent(Noun, frozen=True):
    """A device logged a line."""

    device: str
    line: StoredLine


class FileEvent(Noun, frozen=True):
    """A file of a device has come, all of it."""

    file: StoredFile


Event = ReadingsEvent | PresenceEvent | DeviceEvent | RemovedEvent | CommandEvent | LogEvent | FileEvent
Subscriber = Callable[[Event], None]


class Subscribers:
    """Hands events on. Readings are gathered for a second, and only the newest of each series is told."""

    log = Logger()

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._subscribers: dict[object, Subscriber] = {}
        self._changed: dict[tuple[str, str], LiveReading] = {}
        self._flush: Any = None

    @property
    def listen(self) -> bool:
        """Whether there is anybody: an event that nobody hears need not be made."""
        return bool(self._subscribers)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call ``subscriber`` with each event from now on. Returns the function that ends it."""
        key = object()
        self._subscribers[key] = subscriber
        return lambda: self._subscribers.pop(key, None) and None

    def publish(self, event: Event) -> None:
        """Tell everybody. A subscriber that fails is logged; the others are told all the same."""
        for subscriber in tuple(self._subscribers.values()):
            try:
                subscriber(event)
            except Exception:
                self.log.failure("A subscriber failed")

    def changed(self, reading: LiveReading) -> None:
        """A series has a new newest value."""
        if not self.listen:
            return
        self._changed[reading.device, reading.series] = reading
        if self._flush is None:
            self._flush = self._clock.callLater(READINGS_EVERY, self._publish_readings)

    def forget(self, device: str) -> None:
        """Tell no more of a device's readings: it is called something else now, or is gone."""
        self._changed = {key: reading for key, reading in self._changed.items() if key[0] != device}

    def stop(self) -> None:
        """Tell nobody anything any more: readings may still come to the disk while all is closed."""
        self._subscribers.clear()
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None

    def _publish_readings(self) -> None:
        self._flush = None
        readings, self._changed = tuple(self._changed.values()), {}
        if readings:
            self.publish(ReadingsEvent(readings))
