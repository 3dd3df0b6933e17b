"""One channel of an SSH connection: a side of a tunnel."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from iotcenter.gateway.numbers import Message
from iotcenter.gateway.packets import Malformed, number, string
from iotcenter.wire.joint import Half

OPEN_AT = 8
"""The window is opened by an eighth of it at a time, once that many bytes were handed on."""

PACKET = 32 * 1024
"""The longest packet of data, both ways (RFC 4253, section 6.1)."""

SHORTEST_PACKET = 1024
"""A client that takes no longer packets costs more than it is worth."""

LARGEST_WINDOW = 2**32 - 1


class Remote(NamedTuple):
    """The client's end of a channel: its number, how much it takes now, and how much in one packet."""

    id: int
    window: int
    packet: int


class Channel:
    """A ``Side`` of the joint. ``window`` is how many bytes the client may send ahead. ``send`` sends a packet,
    ``gone`` is called when both ends have closed the channel.

    The client's window is opened when bytes are handed on, and no sooner: a device that reads slowly holds the client
    back, and nothing piles up here but what was under way.
    """

    half: Half

    def __init__(
        self,
        id: int,
        remote: Remote,
        window: int,
        send: Callable[[Message, bytes], None],
        gone: Callable[[Channel], None],
    ) -> None:
        self.id = id
        self.window = window
        self.remote = number(remote.id)
        self._packet = min(remote.packet, PACKET)
        self._room = remote.window
        self._own_room = window
        self._taken = 0
        self._send = send
        self._gone = gone
        self._waiting: deque[bytes] = deque()
        self._writable = True
        self._full = False
        self._paused = False
        self._finishing = False
        self._ended = False
        self._closing = False
        self._closed = False

    def begin(self, half: Half, writable: bool) -> None:
        """The tunnel stands: tell the client that the channel is open."""
        self.half = half
        confirmation = self.remote + number(self.id) + number(self.window) + number(PACKET)
        self._send(Message.CHANNEL_OPEN_CONFIRMATION, confirmation)
        self.flow(writable)

    def received(self, data: bytes) -> None:
        """The client sent data."""
        if len(data) > self._own_room or len(data) > PACKET:
            raise Malformed("more data came than there was room for")
        self._own_room -= len(data)
        self._taken += len(data)
        self.half.received(data)
        self._open_window()

    def opened(self, count: int) -> None:
        """The client takes ``count`` bytes more."""
        self._room += count
        if self._room > LARGEST_WINDOW:
            raise Malformed("the window is too large")
        self._pump()

    def ended(self) -> None:
        """The client sends no more."""
        self.half.ended()

    def left(self) -> None:
        """The client closed the channel."""
        self._waiting.clear()
        self._close()
        self._gone(self)
        self.half.lost("the client closed the channel")

    def lost(self) -> None:
        """The connection is gone."""
        self._closed = True
        self._waiting.clear()
        self.half.lost("the client's connection ended")

    def flow(self, writable: bool) -> None:
        """The client reads, or does not."""
        self._writable = writable
        self._pump()

    def write(self, data: bytes) -> None:
        """See ``Side``."""
        if not self._closed:
            self._waiting.append(data)
            self._pump()

    def finish(self) -> None:
        """See ``Side``."""
        self._finishing = True
        self._pump()

    def close(self) -> None:
        """See ``Side``."""
        self._closing = True
        self._pump()

    def abort(self) -> None:
        """See ``Side``."""
        self._waiting.clear()
        self._close()

    def pause(self) -> None:
        """See ``Side``: the window is not opened any more."""
        self._paused = True

    def resume(self) -> None:
        """See ``Side``."""
        self._paused = False
        self._open_window()

    def _pump(self) -> None:
        """Send what may be sent; then tell whether there is room for more."""
        while self._waiting and self._room and self._writable:
            data = self._waiting.popleft()
            count = min(len(data), self._room, self._packet)
            if count < len(data):
                self._waiting.appendleft(data[count:])
                data = data[:count]
            self._room -= count
            self._send(Message.CHANNEL_DATA, self.remote + string(data))
        if not self._waiting and self._finishing and not self._ended:
            self._ended = True
            self._send(Message.CHANNEL_EOF, self.remote)
        if not self._waiting and self._closing:
            self._close()
        self._tell(bool(self._waiting) or not self._writable or not self._room)

    def _tell(self, full: bool) -> None:
        if full != self._full:
            self._full = full
            (self.half.full if full else self.half.drained)()

    def _open_window(self) -> None:
        if self._taken >= self.window // OPEN_AT and not self._paused and not self._closed:
            taken, self._taken = self._taken, 0
            self._own_room += taken
            self._send(Message.CHANNEL_WINDOW_ADJUST, self.remote + number(taken))

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._send(Message.CHANNEL_CLOSE, self.remote)
