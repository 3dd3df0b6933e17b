"""Messages to bytes and back, whatever carries the bytes."""

from __future__ import annotations

from typing import Any

import msgspec

from iotcenter.model import Message, Reading
from iotcenter.wire.errors import UNDECODABLE, WireError
from iotcenter.wire.messages import ANY, MAX_READINGS, Report

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ANY)
_fields = msgspec.msgpack.Decoder(list[msgspec.Raw])
_type = msgspec.msgpack.Decoder(int)
_reading = msgspec.msgpack.Decoder(Reading)
_ONE_READING = [Reading("x", 0.0)]

_FAULTS = (*UNDECODABLE, MemoryError)


class BadReading(msgspec.Struct, frozen=True):
    """A reading of a report that does not fit; ``offset`` is its place in the report, from 0."""

    offset: int
    reason: str


class DamagedReport(Message, frozen=True, tag=3):
    """A report of which some readings do not fit: those that do, each with its offset, and the rest with what is wrong.

    It exists so that one bad reading does not cost the others of its report.
    """

    boot: int
    sequence: int
    count: int
    time: float
    good: tuple[tuple[int, Reading], ...]
    bad: tuple[BadReading, ...]


def encode(message: Message) -> bytes:
    """The bytes of ``message``, without a length."""
    return _encoder.encode(message)


def encode_report(report: Report | DamagedReport) -> bytes:
    """As ``encode``. Where readings of the report are damaged there is nothing, which will not fit either."""
    if isinstance(report, Report):
        return _encoder.encode(report)
    readings: list[Reading | None] = [None] * report.count
    for offset, reading in report.good:
        readings[offset] = reading
    return _encoder.encode((Report.__struct_config__.tag, report.boot, report.sequence, readings, report.time))


def decode(data: bytes | memoryview) -> Any:
    """The message that ``data`` holds, all of it; a ``DamagedReport`` where only some readings of a report fit.

    Raises ``WireError`` for everything that is not one valid message.
    """
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError as error:
        damaged = _salvage(data)
        if damaged is None:
            raise WireError(f"message does not fit: {error}") from None
        return damaged
    except _FAULTS as error:
        raise WireError(_words(error)) from None


def _words(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "message is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "message holds text that is not UTF-8"
    return f"message does not decode: {error}"


def _salvage(data: bytes | memoryview) -> DamagedReport | None:
    """The readings that fit, of a report that as a whole does not; None where it is no report at all."""
    head = _head(data)
    if head is None:
        return None
    boot, sequence, parts, time = head
    good: list[tuple[int, Reading]] = []
    bad: list[BadReading] = []
    for offset, part in enumerate(parts):
        try:
            good.append((offset, _reading.decode(part)))
        except _FAULTS as error:
            bad.append(BadReading(offset, _words(error).removeprefix("message does not decode: ")))
    return DamagedReport(boot, sequence, len(parts), time, tuple(good), tuple(bad))


def _head(data: bytes | memoryview) -> tuple[int, int, list[msgspec.Raw], float] | None:
    """A report's boot, sequence, readings still in bytes, and time; None where these do not fit either."""
    try:
        fields = _fields.decode(data)
        if len(fields) < 4 or _type.decode(fields[0]) != Report.__struct_config__.tag:
            return None
        readings = _fields.decode(fields[3])
        report = _decoder.decode(_encoder.encode([*fields[:3], _ONE_READING, *fields[4:5]]))
    except _FAULTS:
        return None
    if not 1 <= len(readings) <= MAX_READINGS:
        return None
    return report.boot, report.sequence, readings, report.time
