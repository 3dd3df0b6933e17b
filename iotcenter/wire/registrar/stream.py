"""Packets on a stream, where nothing but an occasional newline says where one ends."""

from __future__ import annotations

from iotcenter.wire.errors import WireError
from iotcenter.wire.registrar.codec import decode
from iotcenter.wire.registrar.packets import MAX_PACKET

WHOLE_AFTER = 0.02
"""Seconds without another byte that end a packet which reads as one. Pieces of one write come closer together; and
``LOGOFF cam`` may be the beginning of ``LOGOFF cam-1``."""

BROKEN_AFTER = 0.5
"""The same for what does not read as a packet yet: a piece that was lost on the way is sent again by then."""


class PacketReader:
    """Cuts a stream into packets: one ends with a newline where the peer sends any, and with silence where it does not.

    The original clients send one packet without a terminator, and wait for its answer.
    """

    def __init__(self) -> None:
        self.lines = False
        """Whether the peer ends its packets with newlines."""
        self._buffer = b""

    @property
    def patience(self) -> float | None:
        """After how many seconds without another byte ``silence`` is to be called; None where only a newline counts."""
        if self.lines or not self._buffer:
            return None
        try:
            decode(self._buffer)
        except WireError:
            return BROKEN_AFTER
        return WHOLE_AFTER

    def receive(self, data: bytes) -> list[bytes]:
        """The packets that ``data`` completes. Raises ``WireError`` for one that grows too long."""
        self._buffer += data
        packets: list[bytes] = []
        if self.lines or b"\n" in data:
            self.lines = True
            *packets, self._buffer = self._buffer.split(b"\n")
        if len(self._buffer) > MAX_PACKET:
            raise WireError(f"packet of over {MAX_PACKET} bytes")
        return [packet for packet in packets if packet.strip()]

    def silence(self) -> bytes:
        """Nothing came for as long as ``patience`` says: what there is is a packet."""
        packet, self._buffer = self._buffer, b""
        return packet
