"""What is inside a record: a message or a part of one, an acknowledgement, or both."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from iotcenter.wire.errors import WireError

ACK = 0x80
CONFIRMABLE = 0x40
MORE = 0x20
KIND = 0x0F

HEAD = 3
HEAD_WITH_ACK = 5

TIME = 4
"""Bytes of the time in a server's acknowledgement."""


class Kind(IntEnum):
    """What a record carries, in the low four bits of its first byte."""

    PING = 0
    REPORT = 1
    COMMAND = 2
    RESULT = 3
    POLL = 4
    LOG = 5
    BLOCK = 6
    CLOSE = 7
    CONFIGURATION = 8
    HELLO = 9
    TUNNEL = 10
    RENEW = 11


_ACK_ALONE = bytes([ACK | Kind.PING, 0, 0])
_ACK_AND_MORE = bytes([ACK | MORE | Kind.PING, 0, 0])


class Content(NamedTuple):
    """The text of a record, taken apart. ``acked`` is the message id that it acknowledges, if it does."""

    kind: int
    message_id: int
    body: bytes = b""
    confirmable: bool = False
    acked: int | None = None
    more: bool = False

    def text(self) -> bytes:
        """The bytes to seal."""
        first = self.kind | (CONFIRMABLE if self.confirmable else 0) | (MORE if self.more else 0)
        if self.acked is None:
            return first.to_bytes(1, "big") + self.message_id.to_bytes(2, "big") + self.body
        ids = self.message_id << 16 | self.acked
        return (first | ACK).to_bytes(1, "big") + ids.to_bytes(4, "big") + self.body


def acknowledgement(message_id: int, body: bytes, more: bool) -> bytes:
    """The text that says nothing else but that a message arrived."""
    return (_ACK_AND_MORE if more else _ACK_ALONE) + message_id.to_bytes(2, "big") + body


def parse_content(text: bytes) -> Content:
    """Take the text of a record apart. Raises ``WireError`` where it is too short."""
    if len(text) < HEAD:
        raise WireError(f"record holds {len(text)} bytes, and {HEAD} are the least")
    first = text[0]
    message_id = text[1] << 8 | text[2]
    if not first & ACK:
        return Content(first & KIND, message_id, text[HEAD:], bool(first & CONFIRMABLE), None, bool(first & MORE))
    if len(text) < HEAD_WITH_ACK:
        raise WireError("record acknowledges a message without saying which")
    acked = text[3] << 8 | text[4]
    return Content(first & KIND, message_id, text[HEAD_WITH_ACK:], bool(first & CONFIRMABLE), acked, bool(first & MORE))
