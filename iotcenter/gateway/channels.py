"""The channels of an SSH connection (RFC 4254): ``direct-tcpip`` to a device, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.conch.ssh.service import SSHService
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from iotcenter.center.errors import TunnelRefused
from iotcenter.center.tunnels import Opener, Session, Tunnels
from iotcenter.gateway.channel import SHORTEST_PACKET, Channel, Remote
from iotcenter.gateway.numbers import Disconnect, Message, OpenFailure
from iotcenter.gateway.packets import Malformed, Packet, number, words
from iotcenter.gateway.transport import Transport
from iotcenter.gateway.userauth import Guest
from iotcenter.gateway.windows import Windows
from iotcenter.model import is_device_name
from iotcenter.wire.joint import Half

MOST_CHANNELS = 100
"""The most channels of one connection, those that are being opened included: as many as one device has tunnels."""

NO_SHELL = "this server gives no shell: it leads to devices. Use: ssh -J {user}@SERVER:PORT USER@DEVICE"
NO_DEVICE = "only devices can be reached here, by their names"


class Channels(SSHService):
    """The service ``ssh-connection`` for one guest."""

    name = b"ssh-connection"
    transport: Transport

    def __init__(self, guest: Guest, tunnels: Tunnels, opener: Opener, windows: Windows) -> None:
        self._guest = guest
        self._tunnels = tunnels
        self._opener = opener
        self._windows = windows
        self._last = 0
        self._open: dict[int, Channel] = {}
        self._opening: set[Deferred[None]] = set()
        self._handlers: dict[int, Callable[[Packet], None]] = {
            Message.GLOBAL_REQUEST: self._global_request,
            Message.CHANNEL_OPEN: self._channel_open,
            Message.CHANNEL_WINDOW_ADJUST: lambda packet: self._named(packet).opened(packet.number()),
            Message.CHANNEL_DATA: lambda packet: self._named(packet).received(packet.string()),
            Message.CHANNEL_EOF: lambda packet: self._named(packet).ended(),
            Message.CHANNEL_CLOSE: lambda packet: self._named(packet).left(),
            Message.CHANNEL_REQUEST: self._channel_request,
        }

    def serviceStopped(self) -> None:
        """The connection is gone."""
        for opening in tuple(self._opening):
            opening.cancel()
        for channel in tuple(self._open.values()):
            channel.lost()
        self._open.clear()

    def packetReceived(self, messageNum: int, packet: bytes) -> None:
        """The client said something."""
        handler = self._handlers.get(messageNum)
        if handler is None:
            raise Malformed(f"a client does not send messages of type {messageNum} here")
        handler(Packet(packet))

    def flow(self, writable: bool) -> None:
        """See ``Service``."""
        for channel in tuple(self._open.values()):
            channel.flow(writable)

    def _global_request(self, packet: Packet) -> None:
        """No port of the server is given away; a client that only asks whether we are there has its answer too."""
        packet.string()
        if packet.flag():
            self._send(Message.REQUEST_FAILURE, b"")

    def _channel_request(self, packet: Packet) -> None:
        """No shell, no command, no agent, no X11: such channels have none of that."""
        channel = self._named(packet)
        packet.string()
        if packet.flag():
            self._send(Message.CHANNEL_FAILURE, channel.remote)

    def _channel_open(self, packet: Packet) -> None:
        kind, remote = packet.string(), Remote(packet.number(), packet.number(), packet.number())
        if kind == b"session":
            self._refuse(remote, OpenFailure.PROHIBITED, NO_SHELL.format(user=self._guest.name))
        elif kind != b"direct-tcpip":
            self._refuse(remote, OpenFailure.UNKNOWN_TYPE, NO_DEVICE)
        elif len(self._open) + len(self._opening) >= MOST_CHANNELS:
            self._refuse(remote, OpenFailure.SHORTAGE, f"{MOST_CHANNELS} channels are open: use another connection")
        elif remote.packet < SHORTEST_PACKET:
            self._refuse(remote, OpenFailure.SHORTAGE, f"packets of under {SHORTEST_PACKET} bytes are too short")
        else:
            self._begin(remote, packet.string(), packet.number())

    def _begin(self, remote: Remote, host: bytes, port: int) -> None:
        """Open a tunnel, if that is the name of a device: no other name is looked up, and no address is tried."""
        name = host.decode("ascii", "replace").lower()
        if not is_device_name(name) or not 1 <= port <= 65535:
            self.transport.factory.complain(self.transport.host, f"{self._guest.name} tried to reach {host[:100]!r}")
            self._refuse(remote, OpenFailure.PROHIBITED, NO_DEVICE)
            return
        opening = Deferred.fromCoroutine(self._connect(remote, name, port))
        if not opening.called:
            self._opening.add(opening)
            opening.addBoth(self._settled, opening)
        opening.addErrback(self._failed)

    async def _connect(self, remote: Remote, name: str, port: int) -> None:
        self._last += 1
        channel = Channel(self._last, remote, self._windows.take(), self._send, self._closed)
        try:
            await self._tunnels.open(name, port, self._opener, channel, partial(self._joined, channel))
        except TunnelRefused as refusal:
            self._refuse(remote, OpenFailure.CONNECT_FAILED, str(refusal))
        finally:
            if channel.id not in self._open:
                self._windows.give_back(channel.window)

    def _joined(self, channel: Channel, session: Session, half: Half) -> None:
        self._open[channel.id] = channel
        session.released = lambda: self._windows.give_back(channel.window)
        channel.begin(half, self.transport.writable)

    def _closed(self, channel: Channel) -> None:
        self._open.pop(channel.id, None)

    def _settled(self, result: object, opening: Deferred[None]) -> object:
        self._opening.discard(opening)
        return result

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.transport.factory.log.failure("Opening a tunnel failed", failure)
            self.transport.disconnect(Disconnect.BY_APPLICATION, "something went wrong in the server")

    def _refuse(self, remote: Remote, code: OpenFailure, reason: str) -> None:
        self._send(Message.CHANNEL_OPEN_FAILURE, number(remote.id) + number(code) + words(reason))

    def _named(self, packet: Packet) -> Channel:
        channel = self._open.get(packet.number())
        if channel is None:
            raise Malformed("there is no such channel")
        return channel

    def _send(self, message: Message, payload: bytes) -> None:
        self.transport.sendPacket(message, payload)
