"""Reports that are not on disk yet, and how their messages are acknowledged once they are."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from iotcenter.wire.errors import WireError
from iotcenter.wire.messages import Ack, Busy, Refusal
from iotcenter.wire.udp.content import HEAD_WITH_ACK, TIME
from iotcenter.wire.udp.records import room_for_text

MOST = 64
"""Reports of one session that may wait for the disk; a device has one on its way, or it breaks the protocol."""

REASON_LENGTHS = (1024, 40, 10, 0)
"""To how many characters the reason of a refusal is cut, until it fits."""


class Unstored:
    """By boot and sequence: the message id to acknowledge, and how many bytes brought it.

    ``largest`` is the longest datagram that the device takes.
    """

    __slots__ = ("_largest", "_waiting")

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._waiting: dict[tuple[int, int], tuple[int, int]] = {}

    @property
    def full(self) -> bool:
        """Whether no further report may wait."""
        return len(self._waiting) >= MOST

    def add(self, boot: int, sequence: int, message_id: int, size: int) -> None:
        """A report came with that message, in a datagram of that size. Raises ``WireError`` where too many wait."""
        if len(self._waiting) >= MOST:
            raise WireError("too many reports wait for the disk")
        self._waiting[boot, sequence] = message_id, size

    def stored_alone(self, ack: Ack) -> int | None:
        """The message that ``ack`` acknowledges, where it is the only one that waits and nothing is to be said of it,
        as nearly always; None for all else, which is for ``stored``."""
        waiting = self._waiting
        if len(waiting) != 1 or ack.refused:
            return None
        found = waiting.pop((ack.boot, ack.sequence), None)
        return None if found is None else found[0]

    def stored(self, ack: Ack) -> list[tuple[int, bytes]]:
        """The messages that ``ack`` acknowledges, which may be several, each with what is to be said of it."""
        boot, first = ack.boot, ack.sequence
        waiting = self._waiting.pop((boot, first), None)
        answers = [] if waiting is None else [(waiting[0], self._refusals(ack, waiting[1]) if ack.refused else b"")]
        if self._waiting:
            last = first + ack.count
            for key in [key for key in self._waiting if key[0] == boot and first <= key[1] < last]:
                answers.append((self._waiting.pop(key)[0], b""))
        return answers

    def not_stored(self, busy: Busy) -> int | None:
        """The message of a report that could not be stored."""
        waiting = self._waiting.pop((busy.boot, busy.sequence), None)
        return None if waiting is None else waiting[0]

    def _refusals(self, ack: Ack, size: int) -> bytes:
        """An acknowledgement is no larger than what it answers, nor than what the device takes."""
        return _refusals(ack.refused, room_for_text(min(size, self._largest)) - HEAD_WITH_ACK - TIME)


def _refusals(refused: Sequence[Refusal], room: int) -> bytes:
    """What was refused, as much as fits into an acknowledgement: first the reasons are cut, then the later half is
    left out until the rest fits."""
    for length in REASON_LENGTHS:
        body = msgspec.msgpack.encode([(one.sequence, one.reason[:length]) for one in refused])
        if len(body) <= room:
            return body
    while refused := refused[: len(refused) // 2]:
        body = msgspec.msgpack.encode([(one.sequence, "") for one in refused])
        if len(body) <= room:
            return body
    return b""
