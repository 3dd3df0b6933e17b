"""Records: what a session's datagrams are. AEAD_AES_128_CBC_HMAC_SHA_256 (RFC 7518, section 5.2.3), one key each way.

Each end keeps its AES and HMAC contexts for as long as the session lasts: making them anew costs more than all the rest
of a record. A CBC context that is kept chains on from the last block that it saw, which is taken out again by one XOR.
"""

from __future__ import annotations

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

    def __init__(self, key: bytes, kind: RecordType, cid: bytes) -> None:
        self.sequence = 0
        """The number of the last record; 0 before the first."""
        self._prefix = bytes([kind]) + cid
        self._parts = _Parts(key)
        self._cbc = Cipher(AES(key[16:32]), CBC(bytes(BLOCK))).encryptor()
        self._chained = bytes(BLOCK)

    @property
    def exhausted(self) -> bool:
        """Whether no further record may be made."""
        return self.sequence >= LAST_SEQUENCE

    def seal(self, text: bytes) -> bytes:
        """The next record, with ``text`` in it."""
        self.sequence += 1
        number = self.sequence.to_bytes(4, "big")
        header = self._prefix + number
        vector = self._parts.vector(self._prefix, number)
        padding = BLOCK - len(text) % BLOCK
        padded = text + bytes([padding]) * padding
        first = _xor(padded[:BLOCK], vector, self._chained)
        body = self._cbc.update(first + padded[BLOCK:])
        self._chained = body[-BLOCK:]
        return header + body + self._parts.tag(header, vector, body)


class Opener:
    """Opens the records of one direction of one session, each once."""

    def __init__(self, key: bytes, kind: RecordType, cid: bytes, window: int) -> None:
        self.window = Window(window)
        self._prefix = bytes([kind]) + cid
        self._parts = _Parts(key)
        self._cbc = Cipher(AES(key[16:32]), CBC(bytes(BLOCK))).decryptor()
        self._chained = bytes(BLOCK)

    def open(self, record: bytes) -> bytes | None:
        """What is in ``record``; None where it is not of this session, was seen before, or is not authentic."""
        body = record[HEADER:-TAG]
        if len(record) < SHORTEST or len(body) % BLOCK or not record.startswith(self._prefix):
            return None
        number = record[5:HEADER]
        sequence = int.from_bytes(number, "big")
        if not self.window.fresh(sequence):
            return None
        vector = self._parts.vector(self._prefix, number)
        if not compare_digest(self._parts.tag(record[:HEADER], vector, body), record[-TAG:]):
            return None
        padded = self._cbc.update(body)
        first = _xor(padded[:BLOCK], vector, self._chained)
        self._chained = body[-BLOCK:]
        self.window.mark(sequence)
        return _unpadded(first + padded[BLOCK:])


class _Parts:
    """What sealing and opening share: the vector of a record and its tag."""

    def __init__(self, key: bytes) -> None:
        self._mac = HMAC(key[:16], SHA256())
        self._ecb = Cipher(AES(key[32:48]), ECB()).encryptor()

    def vector(self, prefix: bytes, number: bytes) -> bytes:
        """The IV of a record, which is not sent: no two records of a session have the same."""
        return self._ecb.update(prefix + _GAP + number)

    def tag(self, header: bytes, vector: bytes, body: bytes) -> bytes:
        """What makes the record authentic."""
        mac = self._mac.copy()
        mac.update(header + vector + body + _HEADER_BITS)
        return mac.finalize()[:TAG]


def room_for_text(datagram: int, prefix: int = 0) -> int:
    """How many bytes of text a record may hold, so that it fills no more than ``datagram`` bytes behind ``prefix``."""
    return (datagram - prefix - HEADER - TAG) // BLOCK * BLOCK - 1


def _xor(one: bytes, two: bytes, three: bytes) -> bytes:
    number = int.from_bytes(one, "big") ^ int.from_bytes(two, "big") ^ int.from_bytes(three, "big")
    return number.to_bytes(BLOCK, "big")


def _unpadded(padded: bytes) -> bytes | None:
    """Without PKCS#7's padding; None where that is wrong, which only somebody with the key can do."""
    count = padded[-1]
    if not 1 <= count <= BLOCK or padded[-count:] != padded[-1:] * count:
        return None
    return padded[:-count]
