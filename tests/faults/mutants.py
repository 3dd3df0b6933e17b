"""Frames that are almost right: what a broken device, or one that somebody took over, may send."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

from iotcenter.model import Argument, ArgumentType, CommandOffer, LogLevel, LogLine, Message, Reading, Series
from iotcenter.wire.codec import encode
from iotcenter.wire.messages import (
    Ack,
    Busy,
    Command,
    Enroll,
    Enrolled,
    File,
    FileAck,
    FileState,
    Hello,
    Log,
    Ping,
    Pong,
    Renew,
    Report,
    Result,
    ResultState,
    Tunnel,
    TunnelAction,
    Welcome,
)

OFFER = CommandOffer("relay", "Relay", "Switches it.", (Argument("on", ArgumentType.BOOLEAN, default=True),))

MESSAGES: tuple[Message, ...] = (
    Hello("agent/1", 1, (Series("t", unit="Cel", every=10.0), Series("door")), (OFFER,), heartbeat=30.0, lost=3),
    Report(1, 1, (Reading("t", 21.5), Reading("door", True, -2.0), Reading("state", "ajar", 1.7e9)), 1.7e9),
    Report(2**32 - 1, 2**32 - 1, tuple(Reading(f"s{number}", float(number)) for number in range(200))),
    Result(1, ResultState.DONE, {"a": [1, 2.5, None, "x" * 100]}),
    Result(2**63 - 1, ResultState.FAILED, error="no"),
    Log((LogLine(0.0, LogLevel.INFO, "line"), LogLine(-1e9, LogLevel.ERROR, "\x00\x1b[31m\u202e"))),
    File(1, "photo.jpg", "image/jpeg", 2**40, 2**39, b"\xff\xd8" * 500),
    File(2, "photo.jpg", "image/jpeg", 10**4, 0, b"\xff\xd8" * 500, b"d" * 32, -60.0, 7),
    FileAck(1, FileState.WANTED, 100),
    Tunnel(b"t" * 16, TunnelAction.OPEN, 22),
    Renew(request=b"0" * 300),
    Ping(),
    Pong(),
    Welcome("a", "b", 0.0, 10.0),
    Ack(1, 1, 1),
    Busy(1, 1, 5.0, "full"),
    Command(1, "relay", {"on": True}),
    Enroll(b"s" * 16, b"0" * 300, "agent/1"),
    Enrolled("a", "b", b"c", b"d"),
)
"""One of each type and more, of those that a device may send and of those that it may not. Not ``Close``, after which
nothing is said."""

BODIES = tuple(encode(message) for message in MESSAGES)


def _flipped(random: Random, body: bytearray) -> bytearray:
    for _ in range(random.randint(1, 4)):
        body[random.randrange(len(body))] = random.randrange(256)
    return body


def _cut(random: Random, body: bytearray) -> bytearray:
    return body[: random.randint(1, len(body))]


def _grown(random: Random, body: bytearray) -> bytearray:
    at = random.randint(0, len(body))
    body[at:at] = random.randbytes(random.randint(1, 40))
    return body


def _doubled(random: Random, body: bytearray) -> bytearray:
    return body + body


def _another(random: Random, body: bytearray) -> bytearray:
    return bytearray(random.randbytes(random.randint(1, 200)))


def _nested(random: Random, body: bytearray) -> bytearray:
    return body[:-1] + bytes([random.choice((0x91, 0x81))]) * random.randint(1, 3000)


def _as_it_is(random: Random, body: bytearray) -> bytearray:
    return body


CHANGES: tuple[Callable[[Random, bytearray], bytearray], ...] = (
    *(_flipped, _flipped, _cut, _grown, _doubled, _another, _nested, _as_it_is),
)


def mutant(random: Random) -> bytes:
    """The body of a frame, with a change or two, or none."""
    body = bytearray(random.choice(BODIES))
    for _ in range(random.choice((1, 1, 2))):
        body = random.choice(CHANGES)(random, body)
    return bytes(body)


def framed(body: bytes) -> bytes:
    """``body`` with its length before it."""
    return struct.pack(">I", len(body)) + body
