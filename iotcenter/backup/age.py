"""Encryption with a passphrase, in the age format (age-encryption.org/v1, the scrypt recipient).

The content goes in pieces, each sealed with its number and with whether it is the last: none can be changed, moved,
repeated or cut off without notice.
"""

from __future__ import annotations

import hmac
import io
import os
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from iotcenter.backup.errors import BackupError, WrongPassphrase

VERSION = b"age-encryption.org/v1"

WORK = 16
"""The logarithm of scrypt's cost: 64 MB of memory and a fraction of a second, which the smallest boards have too."""

MOST_WORK = 20
"""The most of it that a file may ask for, which takes a gigabyte of memory."""

PIECE = 64 * 1024
"""Bytes of a piece, as the format has it."""

TAG = 16
"""Bytes that sealing adds to each."""

LONGEST_LINE = 100
"""Bytes of the longest line in the header of a file that takes a passphrase."""

CUT = "is damaged, or was cut short"


def is_age(beginning: bytes) -> bool:
    """Whether a file that begins so is encrypted."""
    return beginning.startswith(VERSION + b"\n")


class AgeWriter(io.RawIOBase):
    """Encrypts what is written into ``file``. Without ``finish`` at the end it is no whole file."""

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        file_key, salt, nonce = os.urandom(16), os.urandom(16), os.urandom(16)
        wrapped = ChaCha20Poly1305(_wrapping_key(passphrase, salt, WORK)).encrypt(bytes(12), file_key, None)
        header = b"%s\n-> scrypt %s %d\n%s\n---" % (VERSION, _encoded(salt), WORK, _encoded(wrapped))
        file.write(b"%s %s\n" % (header, _encoded(_mac(file_key, header))) + nonce)
        self._file = file
        self._pieces = _Pieces(file_key, nonce)
        self._waiting = bytearray()

    def writable(self) -> bool:
        """It can be written."""
        return True

    def write(self, data: object, /) -> int:
        """Encrypt ``data``; the last piece stays here until it is known whether there is more."""
        view = memoryview(data)  # type: ignore[arg-type]
        self._waiting += view
        while len(self._waiting) > PIECE:
            self._file.write(self._pieces.seal(bytes(self._waiting[:PIECE]), last=False))
            del self._waiting[:PIECE]
        return view.nbytes

    def finish(self) -> None:
        """That was all."""
        self._file.write(self._pieces.seal(bytes(self._waiting), last=True))


class AgeReader(io.RawIOBase):
    """What is encrypted in ``file``. Opening it raises ``WrongPassphrase``, and like reading ``BackupError``."""

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        file_key = _open_header(file, passphrase)
        self._file = file
        self._pieces = _Pieces(file_key, _exactly(file, 16))
        self._sealed = _up_to(file, PIECE + TAG)
        if not self._sealed:
            raise BackupError(CUT)  # even nothing is one sealed piece
        self._open = b""
        self._first = True

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: object, /) -> int:
        """Read some of it; 0 at its proper end."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if not self._open and self._sealed:
            self._open = self._next()
        count = min(len(view), len(self._open))
        view[:count], self._open = self._open[:count], self._open[count:]
        return count

    def _next(self) -> bytes:
        sealed, self._sealed = self._sealed, _up_to(self._file, PIECE + TAG)
        opened = self._pieces.open(sealed, last=not self._sealed)
        if not opened and not self._first:
            raise BackupError(CUT)
        self._first = False
        return opened


class _Pieces:
    """The pieces of one file, each sealed under its number."""

    def __init__(self, file_key: bytes, nonce: bytes) -> None:
        self._cipher = ChaCha20Poly1305(_derived(file_key, nonce, b"payload"))
        self._number = 0

    def seal(self, piece: bytes, last: bool) -> bytes:
        """The next piece, sealed."""
        return self._cipher.encrypt(self._nonce(last), piece, None)

    def open(self, sealed: bytes, last: bool) -> bytes:
        """The next piece. Raises ``BackupError`` where it is another."""
        try:
            return self._cipher.decrypt(self._nonce(last), sealed, None)
        except InvalidTag:
            raise BackupError(CUT) from None

    def _nonce(self, last: bool) -> bytes:
        number, self._number = self._number, self._number + 1
        return number.to_bytes(11) + bytes([last])


def _open_header(file: BinaryIO, passphrase: str) -> bytes:
    """The key of the file behind the header."""
    version, recipient, body, mac = (_line(file) for _ in range(4))
    fields = recipient.split(b" ")
    if version != VERSION or fields[0] != b"->":
        raise BackupError("is not encrypted in the age format")
    if fields[1:2] != [b"scrypt"]:
        raise BackupError("is encrypted for a key, and not with a passphrase")
    if len(fields) != 4 or not fields[3].isdigit() or len(fields[3]) > 2 or not mac.startswith(b"--- "):
        raise BackupError(CUT)
    salt, wrapped, work = _decoded(fields[2], 16), _decoded(body, 32), int(fields[3])
    if not 1 <= work <= MOST_WORK:
        raise BackupError("asks for more memory than it may to check the passphrase")
    try:
        file_key = ChaCha20Poly1305(_wrapping_key(passphrase, salt, work)).decrypt(bytes(12), wrapped, None)
    except InvalidTag:
        raise WrongPassphrase from None
    header = b"\n".join((version, recipient, body, b"---"))
    if not hmac.compare_digest(_mac(file_key, header), _decoded(mac[4:], 32)):
        raise BackupError(CUT)
    return file_key


def _wrapping_key(passphrase: str, salt: bytes, work: int) -> bytes:
    return Scrypt(salt=VERSION + b"/scrypt" + salt, length=32, n=2**work, r=8, p=1).derive(passphrase.encode())


def _derived(file_key: bytes, salt: bytes, use: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, use).derive(file_key)


def _mac(file_key: bytes, header: bytes) -> bytes:
    return hmac.digest(_derived(file_key, b"", b"header"), header, "sha256")


def _encoded(data: bytes) -> bytes:
    return b64encode(data).rstrip(b"=")


def _decoded(text: bytes, size: int) -> bytes:
    try:
        data = b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except NotBase64:
        raise BackupError(CUT) from None
    if len(data) != size or _encoded(data) != text:
        raise BackupError(CUT)
    return data


def _line(file: BinaryIO) -> bytes:
    line = file.readline(LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise BackupError(CUT)
    return line[:-1]


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = _up_to(file, size)
    if len(data) != size:
        raise BackupError(CUT)
    return data


def _up_to(file: BinaryIO, size: int) -> bytes:
    """So many bytes, or all that are left."""
    parts = []
    while size and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
