"""Version 1: the packets of IotCenter 1, so that its sketches keep working. Numbers are little-endian.

Its counters are all that keeps a packet from counting twice, so they must be on disk before what is in it is used.
"""

from __future__ import annotations

import hmac
import json
import struct
from enum import IntEnum
from hmac import compare_digest
from typing import Any, NamedTuple

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from iotcenter.wire.errors import UNDECODABLE, WireError

MARK = b"IOT\0"
HEARTBEAT = b"IOT\xff"
"""Keeps a mapping open; it is not answered, and proves nothing."""

VERSION = 1
SIGNED = 36
TEXT = 72
BLOCK = 16
SHORTEST = TEXT + BLOCK

LAST_COUNTER = 2**63 - 1
"""The highest counter: as far as the database counts. At a packet a second it lasts for ever."""

LONGEST_MID = 64
"""Characters of JSON that a ``mid`` may have: it is sent back as it came."""

_HEAD = struct.Struct("<BBH16sQQ")
_object = msgspec.json.Decoder(dict[str, Any])


class PacketType(IntEnum):
    """Who sends a packet."""

    FROM_DEVICE = 1
    FROM_SERVER = 2


class Packet(NamedTuple):
    """A packet whose outside fits. ``answers`` is the counter that a server's packet answers, 0 in a device's."""

    type: PacketType
    device: bytes
    counter: int
    answers: int
    text: bytes

    def datagram(self, key: bytes) -> bytes:
        """The packet, sealed with the device's key. A server's test of its own, and a device's, both make it."""
        head = _HEAD.pack(self.type, VERSION, 0, self.device, self.counter, self.answers)
        padder = PKCS7(BLOCK * 8).padder()
        padded = padder.update(self.text) + padder.finalize()
        encryptor = Cipher(AES(key), CBC(head[-BLOCK:])).encryptor()
        signed = head + encryptor.update(padded) + encryptor.finalize()
        return MARK + hmac.digest(key, signed, "sha256") + signed


class Payload(NamedTuple):
    """What a device says: values by their names, a line of log, and the message id that it wants back."""

    values: dict[str, Any]
    log: str
    mid: Any


def device_of(datagram: bytes) -> bytes | None:
    """The id of the device that a packet claims to be from; None for what is no packet of a device."""
    if len(datagram) < SHORTEST or (len(datagram) - TEXT) % BLOCK or not datagram.startswith(MARK):
        return None
    kind, version, zero, device, _, _ = _HEAD.unpack_from(datagram, SIGNED)
    return device if (kind, version, zero) == (PacketType.FROM_DEVICE, VERSION, 0) else None


def is_authentic(datagram: bytes, key: bytes) -> bool:
    """Whether ``datagram`` is from somebody who has the key."""
    return compare_digest(hmac.digest(key, datagram[SIGNED:], "sha256"), datagram[4:SIGNED])


def open_packet(datagram: bytes, key: bytes) -> Packet:
    """What is in an authentic packet. Raises ``WireError``."""
    kind, _, _, device, counter, answers = _HEAD.unpack_from(datagram, SIGNED)
    decryptor = Cipher(AES(key), CBC(datagram[TEXT - BLOCK : TEXT])).decryptor()
    unpadder = PKCS7(BLOCK * 8).unpadder()
    try:
        padded = decryptor.update(datagram[TEXT:]) + decryptor.finalize()
        text = unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise WireError("packet is not padded as it should be") from None
    return Packet(PacketType(kind), device, counter, answers, text)


def parse_payload(text: bytes) -> Payload:
    """What a device's packet says. Raises ``WireError``."""
    try:
        given = _object.decode(text)
    except UNDECODABLE as error:
        raise WireError(f"payload is not JSON of the right kind: {error}") from None
    values, log, mid = given.get("values", {}), given.get("log", ""), given.get("mid")
    if not isinstance(values, dict) or not isinstance(log, str):
        raise WireError("payload holds values by their names, a log that is text, and a mid")
    if len(json.dumps(mid)) > LONGEST_MID:
        raise WireError("mid is too long")
    return Payload(values, log, mid)


def answer_to(payload: Payload) -> bytes:
    """The text of the packet that acknowledges ``payload``."""
    return json.dumps({"ack": "" if payload.mid is None else payload.mid}, separators=(",", ":")).encode()


def command_text(name: str, arguments: dict[str, Any]) -> bytes:
    """The text of the packet that gives a command. An argument named ``command`` cannot be said in it."""
    return json.dumps({**arguments, "command": name}, separators=(",", ":")).encode()


def derived_key(master: bytes, device: bytes) -> bytes:
    """A device's key, where all of an old installation come of one master key."""
    return hmac.digest(master, device, "sha256")
