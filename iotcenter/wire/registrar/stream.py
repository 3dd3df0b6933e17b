"""Packets on a stream, where nothing but an occasional newline says where one ends."""

from __future__ import annotations

from iotcenter.wire.errors import WireError
from iotcenter.wire.registrar.packets import MAX_PACKET


class PacketReader:
    """Cuts a stream into packets: one is a read, or ends with a newline where the peer sends any.

    The original clients send one packet without a terminator; so until a newline came, what is read at once is whole.
    """

    def __init__(self) -> None:
        self.lines = False
        """Whether the peer ends its packets with newlines."""
        self._buffer = b""

    def receive(self, data: bytes) -> list[bytes]:
        """The packets that ``data`` completes. Raises ``WireError`` for one that grows too long."""
        if not self.lines and b"\n" not in data:
            return [data]
        self.lines = True
        *packets, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > MAX_PACKET:
            raise WireError(f"packet of over {MAX_PACKET} bytes")
        return [packet for packet in packets if packet.strip()]
