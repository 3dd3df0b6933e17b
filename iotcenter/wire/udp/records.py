"""Records: what a session's datagrams are. AEAD_AES_128_CBC_HMAC_SHA_256 (RFC 7518, section 5.2.3), one key each way.

Each end keeps its AES and HMAC contexts for as long as the session lasts: making them anew costs more than all the rest
of a record. To decrypt, ECB will do, and one XOR for all blocks; so it does to encrypt the one block that an
acknowledgement is. Every report passes here twice, so both ways are written out.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from hmac import compare_digest

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

HEADER = 9
TAG = 16
BLOCK = 16
SHORTEST = HEADER + BLOCK + TAG
"""Bytes of the shortest record: its text has at least three bytes, and the padding fills the block."""

LARGEST_DATAGRAM = 1200
"""Bytes of UDP payload that every network carries in one piece, as QUIC has it too."""

LAST_SEQUENCE = 2**31 - 1
"""The last record of a session; a new handshake comes before it."""

SERVER_WINDOW = 1024
DEVICE_WINDOW = 64
"""How many of the newest sequence numbers are told apart: what is older is refused."""

_HEADER_BITS = (HEADER * 8).to_bytes(8, "big")
_GAP = bytes(7)
_number = int.from_bytes
_PADDINGS = [bytes([BLOCK - length]) * (BLOCK - length) for length in range(BLOCK)]
"""PKCS#7's padding, by the length of what stands in the last block."""


class RecordType(IntEnum):
    """The first byte of a datagram of version 2."""

    HELLO = 0xC1
    WELCOME = 0xC2
    UP = 0xC3
    DOWN = 0xC4
    RESET = 0xC5
    OPEN = 0xC6


class Window:
    """Which sequence numbers were seen: one bit for each of the newest."""

    __slots__ = ("_kept", "_seen", "_size", "highest")

    def __init__(self, size: int) -> None:
        self.highest = 0
        self._size = size
        self._kept = (1 << size) - 1
        self._seen = 1

    def fresh(self, sequence: int) -> bool:
        """Whether a record with that number may be looked at."""
        behind = self.highest - sequence
        if behind < 0:
            return sequence <= LAST_SEQUENCE
        return behind < self._size and not self._seen >> behind & 1

    def mark(self, sequence: int) -> None:
        """Remember that it was seen."""
        ahead = sequence - self.highest
        if ahead > 0:
            self.highest = sequence
            self._seen = (self._seen << ahead & self._kept | 1) if ahead < self._size else 1
        else:
            self._seen |= 1 << -ahead


class Sealer:
    """Makes the records of one direction of one session."""

    __slots__ = ("_aes", "_encrypt", "_mac", "_prefix", "_vector", "sequence")

    def __init__(self, key: bytes, kind: RecordType, cid: bytes) -> None:
        self.sequence = 0
        """The number of the last record; 0 before the first."""
        self._prefix = bytes([kind]) + cid
        self._mac, self._vector = _contexts(key)
        self._aes = AES(key[16:32])
        self._encrypt = Cipher(self._aes, ECB()).encryptor().update

    @property
    def exhausted(self) -> bool:
        """Whether no further record may be made."""
        return self.sequence >= LAST_SEQUENCE

    def seal(self, text: bytes) -> bytes:
        """The next record, with ``text`` in it."""
        self.sequence += 1
        number = self.sequence.to_bytes(4, "big")
        header = self._prefix + number
        vector = self._vector(self._prefix + _GAP + number)
        padded = text + _PADDINGS[len(text) % BLOCK]
        if len(padded) == BLOCK:
            body = self._encrypt((_number(padded, "big") ^ _number(vector, "big")).to_bytes(BLOCK, "big"))
        else:
            body = Cipher(self._aes, CBC(vector)).encryptor().update(padded)
        mac = self._mac.copy()
        mac.update(header + vector + body + _HEADER_BITS)
        return header + body + mac.finalize()[:TAG]


class Opener:
    """Opens the records of one direction of one session, each once."""

    __slots__ = ("_decrypt", "_mac", "_prefix", "_vector", "window")

    def __init__(self, key: bytes, kind: RecordType, cid: bytes, window: int) -> None:
        self.window = Window(window)
        self._prefix = bytes([kind]) + cid
        self._mac, self._vector = _contexts(key)
        self._decrypt = Cipher(AES(key[16:32]), ECB()).decryptor().update

    def open(self, record: bytes) -> bytes | None:
        """What is in ``record``; None where it is not of this session, was seen before, or is not authentic."""
        prefix, size = self._prefix, len(record) - HEADER - TAG
        if size < BLOCK or size % BLOCK or not record.startswith(prefix):
            return None
        number = record[5:HEADER]
        sequence, window = _number(number, "big"), self.window
        if not window.highest < sequence <= LAST_SEQUENCE and not window.fresh(sequence):
            return None
        vector = self._vector(prefix + _GAP + number)
        body = record[HEADER:-TAG]
        mac = self._mac.copy()
        mac.update(prefix + number + vector + body + _HEADER_BITS)
        if not compare_digest(mac.finalize()[:TAG], record[-TAG:]):
            return None
        chained = _number(vector + body[:-BLOCK], "big")
        padded = (_number(self._decrypt(body), "big") ^ chained).to_bytes(size, "big")
        window.mark(sequence)
        count = padded[-1]
        return padded[:-count] if padded.endswith(_PADDINGS[-count % BLOCK]) else None


def _contexts(key: bytes) -> tuple[HMAC, Callable[[bytes], bytes]]:
    """Of a direction's key: what makes records authentic, to be copied, and what makes the IV of each.

    The IV is not sent, and no two records of a session have the same.
    """
    return HMAC(key[:16], SHA256()), Cipher(AES(key[32:48]), ECB()).encryptor().update


def room_for_text(datagram: int, prefix: int = 0) -> int:
    """How many bytes of text a record may hold, so that it fills no more than ``datagram`` bytes behind ``prefix``."""
    return (datagram - prefix - HEADER - TAG) // BLOCK * BLOCK - 1
