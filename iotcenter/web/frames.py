"""Events as frames of server-sent events: what browsers and programs read from the event stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from iotcenter.center.subscribers import (
    CommandEvent,
    DeviceEvent,
    Event,
    FileEvent,
    LogEvent,
    PresenceEvent,
    ReadingsEvent,
    RemovedEvent,
)
from iotcenter.model import Device, LogLevel, Noun
from iotcenter.web.packing import Packable

KEEP_ALIVE = Packable(b":\n\n")
"""A comment: it keeps proxies from closing a silent stream, and shows us that the peer is gone."""

OPENING = Packable(b"retry: 2000\n\n")
"""Browsers come back after two seconds when the stream breaks."""

_encoder = msgspec.json.Encoder()


class Snapshot(Noun, frozen=True, omit_defaults=False):
    """All there is to know; everything after it is a change to it. A second one replaces the first: something was
    missed between."""

    build: str
    devices: Sequence[Device]


class Removed(Noun, frozen=True):
    """A device is no more, or is called ``renamed`` now."""

    device: str
    renamed: str | None = None


class Logged(Noun, frozen=True, omit_defaults=False):
    """A line of a device's log."""

    device: str
    id: int
    time: float
    level: LogLevel
    text: str


def frame(name: str, data: Any) -> bytes:
    """``data`` as JSON under the event's name."""
    return b"event: %s\ndata: %s\n\n" % (name.encode("ascii"), _encoder.encode(data))


def frames_of(event: Event) -> bytes:
    """The frame, or frames, that tell of ``event``."""
    match event:
        case ReadingsEvent(readings=readings):
            return frame("readings", readings)
        case PresenceEvent():
            return frame("presence", event)
        case DeviceEvent(device=device, was=None):
            return frame("device", device)
        case DeviceEvent(device=device, was=was):
            return frame("removed", Removed(was or "", device.name)) + frame("device", device)
        case RemovedEvent(device=name):
            return frame("removed", Removed(name))
        case CommandEvent(command=command):
            return frame("command", command)
        case FileEvent(file=file):
            return frame("file", file)
        case LogEvent(device=name, line=line):
            return frame("log", Logged(name, line.id, line.time, line.level, line.text))
