"""A connection that a device dialled back for a tunnel: one message each way, then a stream of bytes."""

from __future__ import annotations

from typing import Any

from iotcenter.interfaces import Refused
from iotcenter.model import DeviceId
from iotcenter.sockets import keep_alive
from iotcenter.transports.handshake import Peer
from iotcenter.transports.tls_connection import Connection
from iotcenter.wire.errors import WireError
from iotcenter.wire.joint import DRAIN_WITHIN, Half
from iotcenter.wire.messages import CloseCode, Tunnel, TunnelAction
from iotcenter.wire.stream import END, StreamReader, piece

MAX_HELLO = 1024
"""The longest first frame: an id and a port have some 30 bytes."""


class TunnelConversation:
    """The one message that says for which tunnel the connection is; all else is the stream's."""

    def __init__(self, connection: Connection, peer: Peer) -> None:
        if peer.expired:
            raise Refused("the certificate has expired: all that it is good for is to be renewed")
        self._connection = connection
        self._device: DeviceId = peer.device
        self._stream: TunnelStream | None = None
        self._unwatch = connection.house.accounts.watch(peer.device, self._barred)
        connection.reader.limit = MAX_HELLO

    def received(self, message: Any) -> None:
        """The device says for which tunnel it dialled."""
        if not isinstance(message, Tunnel) or message.action is not TunnelAction.OPEN:
            raise WireError("a tunnel begins with its id")
        stream = TunnelStream(self._connection)
        join = self._connection.house.center.meet(self._device, message.id, stream)
        self._connection.send(message)
        self._connection.become(stream)
        keep_alive(self._connection.transport)
        self._stream = stream
        stream.half = join()

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        self._unwatch()
        if self._stream is not None:
            self._stream.half.lost(f"the connection of the device ended: {reason}")

    def _barred(self, reason: str) -> None:
        if self._stream is None:
            self._connection.end(CloseCode.REVOKED, reason)
        elif not self._stream.half.over:
            self._stream.half.cut(reason)


class TunnelStream:
    """The device's ``Side`` of a tunnel, and its connection's ``Stream``."""

    half: Half

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._reader = StreamReader()

    def received(self, data: bytes) -> None:
        """See ``Stream``."""
        for part in self._reader.receive(data):
            self.half.received(part)
        if self._reader.ended:
            self.half.ended()

    def full(self) -> None:
        """See ``Stream``."""
        self.half.full()

    def drained(self) -> None:
        """See ``Stream``."""
        self.half.drained()

    def write(self, data: bytes) -> None:
        """See ``Side``."""
        self._connection.write(piece(data))

    def finish(self) -> None:
        """See ``Side``."""
        self._connection.write(END)

    def close(self) -> None:
        """See ``Side``. It is read on, for the end of TLS is in what comes; the rest of that is ignored."""
        self._connection.read(True)
        self._connection.leave("the tunnel ended", DRAIN_WITHIN)

    def abort(self) -> None:
        """See ``Side``."""
        self._connection.drop("the tunnel was cut")

    def pause(self) -> None:
        """See ``Side``."""
        self._connection.read(False)

    def resume(self) -> None:
        """See ``Side``."""
        self._connection.read(True)
