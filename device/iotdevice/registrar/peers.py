"""The other devices, which speak to this one directly: their packets in, our answers and a line for our owner out."""

from __future__ import annotations

from msgspec import Struct

from iotcenter.wire.registrar.codec import decode, digest_of, encode, written_time
from iotcenter.wire.registrar.packets import Ack, Code, Data, Found, Packet, Query
from iotdevice.registrar.answers import printable

MOST_PACKETS = 20
"""Packets of peers that are heard in a second. Anybody can send them, and forge from where: past that they are
dropped, so that no flood fills the terminal and none is passed on."""


class Heard(Struct, frozen=True):
    """A peer's packet, what to send back, and what to tell our owner."""

    packet: Packet
    reply: bytes | None
    line: str


class Peers:
    """What this device, which is reached at ``ip`` and ``port``, answers its peers."""

    def __init__(self, device_id: str, ip: str, port: int) -> None:
        self._device_id = device_id
        self._address = f"{ip}\t{port}"
        self._second = 0
        self._heard = 0

    def received(self, data: bytes, now: float) -> Heard | None:
        """What to make of a peer's datagram at the time ``now`` (Unix); None where there are too many.

        Raises ``WireError`` where it is no packet, or none that peers send.
        """
        if int(now) != self._second:
            self._second, self._heard = int(now), 0
        self._heard += 1
        if self._heard > MOST_PACKETS:
            return None
        packet, time = decode(data), written_time(now)
        if isinstance(packet, Query):
            mine = packet.target == self._device_id
            code, message = (Found.HERE, self._address) if mine else (Found.UNKNOWN, packet.target)
            line = f"{packet.device_id} asks where {packet.target} is"
            return Heard(packet, encode(Data(self._device_id, code, time, message)), line)
        if isinstance(packet, Data):
            reply = encode(Ack(self._device_id, Code.STORED, time, digest_of(data)))
            return Heard(packet, reply, f"{packet.device_id} says: {printable(packet.message)}")
        if isinstance(packet, Ack):
            return Heard(packet, None, f"{packet.device_id} acknowledges: {packet.code}")
        return Heard(packet, None, f"{packet.device_id} sends {packet.TYPE}, which peers do not")
