"""What a device's key gives: a key for each purpose, by HKDF (RFC 5869), and keys for each session."""

from __future__ import annotations

import hmac
from typing import NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

KEY = 32
"""Bytes of a device's key, which is shared by the device and the server."""

SALT = b"iot2"
RECORD_KEY = 48


class RecordKeys(NamedTuple):
    """A session's two keys of 48 bytes, for the records of either direction."""

    up: bytes
    down: bytes


class DeviceKeys:
    """The keys that come of one device's key. It shows none of them in its ``repr``."""

    def __init__(self, key: bytes) -> None:
        prk = extract(SALT, key)
        self.auth = expand(prk, b"auth", 32)
        self.session = expand(prk, b"session", 32)
        self.nonce = expand(prk, b"nonce", 32)
        self._mac = HMAC(self.auth, SHA256())

    def mac(self, data: bytes) -> bytes:
        """The 16 bytes by which HELLO and WELCOME are known as this device's."""
        mac = self._mac.copy()
        mac.update(data)
        return mac.finalize()[:16]

    def record_keys(self, hello: bytes, welcome: bytes) -> RecordKeys:
        """The keys of the session that ``hello`` and ``welcome`` agreed on."""
        transcript = Hash(SHA256())
        transcript.update(hello)
        transcript.update(welcome)
        prk = extract(transcript.finalize(), self.session)
        return RecordKeys(expand(prk, b"up", RECORD_KEY), expand(prk, b"down", RECORD_KEY))

    def fresh_nonce(self, seed: bytes) -> bytes:
        """A nonce for HELLO from ``seed``, which must never be the same twice: a boot count, noise, the last nonce."""
        return hmac.digest(self.nonce, seed, "sha256")[:16]


def extract(salt: bytes, material: bytes) -> bytes:
    """HKDF-Extract with SHA-256."""
    return hmac.digest(salt, material, "sha256")


def expand(prk: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand with SHA-256."""
    return HKDFExpand(SHA256(), length, info).derive(prk)
