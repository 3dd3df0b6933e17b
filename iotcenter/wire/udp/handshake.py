"""The handshake: HELLO and WELCOME, one round trip, after which both ends have the same new keys.

The server keeps nothing in between. All that it needs comes back with the device's first record: the HELLO, and the
time of the WELCOME, from which it computes the WELCOME again.
"""

from __future__ import annotations

import hmac
from enum import IntFlag
from hmac import compare_digest
from typing import NamedTuple

from iotcenter.wire.udp.keys import DeviceKeys, RecordKeys
from iotcenter.wire.udp.records import SHORTEST, RecordType

SUITE = 0x21
"""Version 2, and the one suite that there is."""

HELLO = 52
WELCOME = 44
CID = 4
OPEN = 56
"""Bytes of each, the last without the record behind it."""

MAX_RX_UNIT = 16
KEEPALIVE_UNIT = 5
"""What one stands for in the fields of one byte."""

WELCOME_LIFETIME = 60.0
"""Seconds for which a WELCOME is good."""

CID_REST = 120.0
"""Seconds for which the cid of an ended session is not used: twice as long as anything that names it is good."""

_HELLO_CODE = bytes([RecordType.HELLO])
_HELLO_HEAD = bytes([RecordType.HELLO, SUITE])
_WELCOME_HEAD = bytes([RecordType.WELCOME, SUITE])


class Flag(IntFlag):
    """What a device says of itself in HELLO."""

    SLEEPY = 2
    FRESH_BOOT = 4


class Hello(NamedTuple):
    """What a HELLO says. ``max_rx`` is the longest datagram that the device takes, in bytes."""

    flags: int
    max_rx: int
    device: bytes
    nonce: bytes

    def datagram(self, keys: DeviceKeys) -> bytes:
        """The HELLO."""
        body = _HELLO_HEAD + bytes([self.flags, self.max_rx // MAX_RX_UNIT]) + self.device + self.nonce
        return body + keys.mac(body)


class Welcome(NamedTuple):
    """What a WELCOME says. ``keepalive`` is in seconds, ``time`` in whole Unix seconds."""

    flags: int
    keepalive: int
    cid: bytes
    nonce: bytes
    time: int

    def datagram(self, keys: DeviceKeys, hello: bytes) -> bytes:
        """The WELCOME that answers ``hello``."""
        head = _WELCOME_HEAD + bytes([self.flags, self.keepalive // KEEPALIVE_UNIT])
        body = head + self.cid + self.nonce + self.time.to_bytes(4, "big")
        return body + keys.mac(hello + body)


class Opening(NamedTuple):
    """What an OPEN holds: the HELLO that it began with, the time of the WELCOME, and the first record."""

    hello: bytes
    time: int
    record: bytes

    def datagram(self) -> bytes:
        """The OPEN."""
        return bytes([RecordType.OPEN]) + self.hello[1:] + self.time.to_bytes(4, "big") + self.record


def parse_hello(datagram: bytes) -> Hello | None:
    """What ``datagram`` says as a HELLO, without looking whether it is authentic; None where it is none."""
    if len(datagram) != HELLO or not datagram.startswith(_HELLO_HEAD):
        return None
    return Hello(datagram[2], datagram[3] * MAX_RX_UNIT, datagram[4:20], datagram[20:36])


def is_authentic(hello: bytes, keys: DeviceKeys) -> bool:
    """Whether ``hello`` is from somebody who has the device's key."""
    return compare_digest(keys.mac(hello[:36]), hello[36:])


def parse_welcome(datagram: bytes, hello: bytes, keys: DeviceKeys) -> Welcome | None:
    """What ``datagram`` says as the WELCOME to ``hello``; None where it is no authentic one."""
    if len(datagram) != WELCOME or not datagram.startswith(_WELCOME_HEAD):
        return None
    if not compare_digest(keys.mac(hello + datagram[:28]), datagram[28:]):
        return None
    time = int.from_bytes(datagram[24:28], "big")
    return Welcome(datagram[2], datagram[3] * KEEPALIVE_UNIT, datagram[4:8], datagram[8:24], time)


def parse_open(datagram: bytes) -> Opening | None:
    """What ``datagram`` holds as an OPEN, without looking whether it is authentic; None where it is none."""
    if len(datagram) < OPEN + SHORTEST or datagram[0] != RecordType.OPEN or datagram[OPEN] != RecordType.UP:
        return None
    return Opening(_HELLO_CODE + datagram[1:HELLO], int.from_bytes(datagram[HELLO:OPEN], "big"), datagram[OPEN:])


class Greeting(NamedTuple):
    """How a server welcomes: the same each time, so that it need not be kept. ``secret`` is made at its start."""

    secret: bytes
    flags: int
    keepalive: int

    def welcome(self, keys: DeviceKeys, hello: bytes, cid: bytes, time: int, address: bytes) -> bytes:
        """The WELCOME for whoever sent ``hello`` from ``address``."""
        material = time.to_bytes(4, "big") + cid + hello + address
        nonce = hmac.digest(self.secret, material, "sha256")[:16]
        return Welcome(self.flags, self.keepalive, cid, nonce, time).datagram(keys, hello)

    def keys_of(self, keys: DeviceKeys, opening: Opening, address: bytes) -> RecordKeys:
        """The keys of the session that ``opening`` wants. They are wrong, and open nothing, where anything in it is."""
        welcome = self.welcome(keys, opening.hello, opening.record[1:5], opening.time, address)
        return keys.record_keys(opening.hello, welcome)
