"""The bodies of records: the messages of every transport, in MessagePack without what the kind says already, or JSON.

JSON is for sketches that prefer it: reports, results and lines of log may be written so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from iotcenter.model import LogLevel, Message, Reading
from iotcenter.wire.codec import DamagedReport, decode, encode
from iotcenter.wire.errors import UNDECODABLE, WireError
from iotcenter.wire.messages import Close, CloseCode, Command, Hello, Log, Renew, Report, Result, ResultState, Tunnel
from iotcenter.wire.udp.content import Kind

Numbering = Callable[[int], tuple[int, int]]
"""Gives boot and sequence for so many readings that came without."""

TYPES: dict[int, type[Message]] = {
    Kind.REPORT: Report,
    Kind.COMMAND: Command,
    Kind.RESULT: Result,
    Kind.LOG: Log,
    Kind.CLOSE: Close,
    Kind.HELLO: Hello,
    Kind.TUNNEL: Tunnel,
    Kind.RENEW: Renew,
}
"""The message that each kind carries."""

KINDS = {type: kind for kind, type in TYPES.items()}

RELATIVE = 2.0**28
"""Times below it count from now (RFC 8428, section 4.5.3)."""

_ARRAY = 0x90
_MOST_FIELDS = 14
_TAGS = {kind: type.__struct_config__.tag for kind, type in TYPES.items()}
_HEADS = {
    (kind, _ARRAY | count): bytes([_ARRAY | count + 1]) + msgspec.msgpack.encode(tag)
    for kind, tag in _TAGS.items()
    for count in range(_MOST_FIELDS + 1)
}
"""What the first byte of a body becomes: the array's length with one more field, and the type's number."""

_REPORT_HEADS = {first: head for (kind, first), head in _HEADS.items() if kind == Kind.REPORT}

_object = msgspec.json.Decoder(dict[str, Any])
_report_message = msgspec.msgpack.Decoder(Report)


class Configuration(msgspec.Struct, frozen=True, array_like=True):
    """What the server learnt, for the device: after how many seconds of silence to ping, and what it is called."""

    keepalive: int
    name: str = ""


_configuration = msgspec.msgpack.Decoder(Configuration)


def body_of(message: Message) -> tuple[Kind, bytes]:
    """The kind of ``message``, and its body."""
    data = encode(message)
    return Kind(KINDS[type(message)]), bytes([data[0] - 1]) + data[2:]


def message_of(kind: int, body: bytes, numbering: Numbering | None = None) -> Any:
    """The message that ``body`` holds. Raises ``WireError``.

    JSON is taken where ``numbering`` is given, which numbers the readings that come without.
    """
    if numbering is not None and body.startswith(b"{"):
        return _from_json(kind, body, numbering)
    head = _HEADS.get((kind, body[0])) if body else None
    if head is not None:
        message = decode(head + body[1:])
        return _aged(message) if kind == Kind.REPORT and message.time < 0 else message
    if kind == Kind.CLOSE and not body:
        return Close(CloseCode.STOPPING)
    raise WireError(f"body of kind {kind} is not an array of its fields")


def plain_report(text: bytes, start: int) -> tuple[Report, bytes] | None:
    """A report in the commonest form, and the MessagePack of its message; None for all others. Its body begins at
    ``start`` of a record's ``text``.

    Others are JSON, with an age or with readings that do not fit: ``message_of`` says what they are.
    """
    head = _REPORT_HEADS.get(text[start]) if len(text) > start else None
    if head is None:
        return None
    packed = head + text[start + 1 :]
    try:
        report = _report_message.decode(packed)
    except UNDECODABLE:
        return None
    return None if report.time < 0 else (report, packed)


def _aged(report: Report | DamagedReport) -> Report | DamagedReport:
    """A report whose time is its own age, from a device without a clock: its readings' ages are counted from now."""
    age = report.time
    if isinstance(report, DamagedReport):
        good = tuple((offset, _older(reading, age)) for offset, reading in report.good)
        return msgspec.structs.replace(report, good=good, time=0.0)
    return Report(report.boot, report.sequence, tuple(_older(reading, age) for reading in report.readings))


def _older(reading: Reading, age: float) -> Reading:
    return Reading(reading.name, reading.value, reading.time + age) if reading.time < RELATIVE else reading


def parse_configuration(body: bytes) -> Configuration:
    """What the server tells a device. Raises ``WireError``."""
    try:
        return _configuration.decode(body)
    except UNDECODABLE as error:
        raise WireError(f"configuration does not decode: {error}") from None


def _from_json(kind: int, body: bytes, numbering: Numbering) -> Any:
    try:
        given = _object.decode(body)
        fields = _JSON[kind](given, numbering)
        return decode(msgspec.msgpack.encode([_TAGS[kind], *fields]))
    except KeyError as error:
        raise WireError(f"JSON lacks {error}, or kind {kind} is not written in it") from None
    except UNDECODABLE as error:
        raise WireError(f"JSON does not decode: {error}") from None


def _report(given: dict[str, Any], numbering: Numbering) -> list[Any]:
    boot, sequence, age = (given.pop(name, None) for name in ("_b", "_s", "_a"))
    time = 0.0 if age is None else _before(age)
    readings = [[name, value, time] for name, value in given.items()]
    if boot is None or sequence is None:
        boot, sequence = numbering(len(readings))
    return [boot, sequence, readings]


def _result(given: dict[str, Any], numbering: Numbering) -> list[Any]:
    error = given.get("error")
    state = given.get("state", ResultState.DONE if error is None else ResultState.FAILED)
    return [given["id"], state, given.get("result"), error]


def _log(given: dict[str, Any], numbering: Numbering) -> list[Any]:
    return [[[_before(given.get("_a", 0)), given.get("level", LogLevel.INFO), given["text"]]]]


def _before(age: Any) -> float:
    """An age as readings have it: what counts back from now is negative."""
    if not isinstance(age, int | float) or age < 0:
        raise WireError("_a is not an age in seconds")
    return -float(age)


_JSON: dict[int, Callable[[dict[str, Any], Numbering], list[Any]]] = {
    Kind.REPORT: _report,
    Kind.RESULT: _result,
    Kind.LOG: _log,
}
