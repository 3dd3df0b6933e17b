"""What devices say in the benchmark of the way in: reports in which only numbers change, in our frames or MQTT's."""

from __future__ import annotations

import struct
import time
from typing import Protocol

from iotcenter.model import Reading
from iotcenter.wire.codec import decode, encode
from iotcenter.wire.framing import FrameReader, frame
from iotcenter.wire.messages import Ack, Busy, Hello, Report

_NUMBER = struct.Struct(">BI")
_LENGTH = struct.Struct(">I")
_SHORT = struct.Struct(">H")

UINT32 = 0xCE
"""What MessagePack puts before a number of four bytes."""

MARK = _NUMBER.pack(UINT32, 2**32 - 1)
"""Where a report's first number is to be put in."""

CONNECT, PUBLISH = 0x10, 0x32
"""MQTT's types of packets; the one of messages with QoS 1."""


class Speech(Protocol):
    """How a device talks to its server."""

    def hello(self) -> bytes:
        """What it says first. One message answers it."""

    def reports(self, first: int, count: int) -> bytes:
        """So many reports, from number ``first`` on, of readings that are taken now."""

    def heard(self, data: bytes) -> tuple[int, int]:
        """How many reports ``data`` acknowledges, and how many it turns away."""


class OurSpeech:
    """IotCenter's frames."""

    def __init__(self, boot: int, size: int) -> None:
        self._boot = boot
        self._size = size
        self._reader = FrameReader()

    def hello(self) -> bytes:
        """See ``Speech``."""
        return frame(Hello(boot=self._boot))

    def reports(self, first: int, count: int) -> bytes:
        """See ``Speech``."""
        head, tail = _report(self._boot, self._size)
        head = _LENGTH.pack(len(head) + len(MARK) + len(tail)) + head
        numbers = range(1 + first * self._size, 1 + (first + count) * self._size, self._size)
        return b"".join([head + _NUMBER.pack(UINT32, number) + tail for number in numbers])

    def heard(self, data: bytes) -> tuple[int, int]:
        """See ``Speech``."""
        readings = refused = 0
        for body in self._reader.receive(data):
            message = decode(body)
            if type(message) is Ack:
                readings += message.count
            elif type(message) is Busy:
                refused += 1
        return readings // self._size, refused


class MqttSpeech:
    """MQTT 3.1.1 with QoS 1. Each message carries a report as ours."""

    def __init__(self, boot: int, size: int, name: str) -> None:
        self._boot = boot
        self._size = size
        self._name = _text(name)
        self._topic = _text(f"readings/{name}")
        self._rest = 0

    def hello(self) -> bytes:
        """See ``Speech``."""
        flags = b"\2\0\0"  # a clean session, and no keep-alive
        return _packet(CONNECT, len(self._name) + 10) + _text("MQTT") + b"\4" + flags + self._name

    def reports(self, first: int, count: int) -> bytes:
        """See ``Speech``."""
        head, tail = _report(self._boot, self._size)
        start = _packet(PUBLISH, len(self._topic) + 2 + len(head) + len(MARK) + len(tail)) + self._topic
        return b"".join(
            [
                start + _SHORT.pack(1 + number % 65535) + head + _NUMBER.pack(UINT32, 1 + number * self._size) + tail
                for number in range(first, first + count)
            ]
        )

    def heard(self, data: bytes) -> tuple[int, int]:
        """See ``Speech``. Nothing but acknowledgements comes, of four bytes each."""
        whole, self._rest = divmod(self._rest + len(data), 4)
        return whole, 0


def _report(boot: int, size: int) -> tuple[bytes, bytes]:
    """A report of readings that are taken now: what stands before its first number, and what behind."""
    now = time.time()
    readings = tuple(Reading(f"s{number}", 20.0 + number, now) for number in range(size))
    head, _, tail = encode(Report(boot, 2**32 - 1, readings, now)).partition(MARK)
    return head, tail


def _text(text: str) -> bytes:
    """As MQTT writes it."""
    return _SHORT.pack(len(text)) + text.encode()


def _packet(kind: int, length: int) -> bytes:
    """The beginning of an MQTT packet with so many bytes to follow."""
    data = bytes([kind])
    while True:
        length, digit = divmod(length, 128)
        data += bytes([digit | (128 if length else 0)])
        if not length:
            return data
