"""Tunnels: the server asks for one, and the device dials back and joins the connection to a port of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol

from iotcenter.wire.joint import Joint
from iotcenter.wire.messages import Tunnel, TunnelAction
from iotdevice.channel import Channel
from iotdevice.config import SshSettings
from iotdevice.devicelog import DeviceLog
from iotdevice.local_port import LocalPort
from iotdevice.tls import Handshakes
from iotdevice.tunnel_link import TunnelLink

MOST = 100
"""The most tunnels at once: each is a process of sshd, and the server asks for no more."""

LOCAL_WITHIN = 5.0
"""Seconds for the connection to a port of this machine."""

LOOPBACK = "127.0.0.1"

Connect = Callable[[Handshakes], IStreamClientEndpoint]
"""Makes the way to the server, for one tunnel."""


class NoAnswer(Exception):
    """Nothing listens on a port of this machine; the text says so."""


class Tunnels:
    """Opens what the server asks for, as far as the settings allow it. It is a ``Speaker``: refusals go over the link.

    ``handshakes`` makes those of one connection, with the credentials of the moment: they are renewed while the agent
    runs.
    """

    def __init__(
        self,
        reactor: Any,
        settings: SshSettings,
        connect: Connect,
        handshakes: Callable[[], Handshakes],
        log: DeviceLog,
        camera: tuple[int, ...] = (),
    ) -> None:
        """``camera`` is the port of live video, where there is one: it may be reached whatever holds for the others."""
        self._reactor = reactor
        self._ports = (*(settings.ports if settings.enabled else ()), *camera)
        self._connect = connect
        self._handshakes = handshakes
        self._log = log
        self._channel: Channel | None = None
        self._opening: dict[bytes, Deferred[None]] = {}
        self._joints: set[Joint] = set()

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of this machine that tunnels may reach."""
        return self._ports

    def connected(self, channel: Channel) -> None:
        """See ``Speaker``."""
        self._channel = channel

    def writable(self) -> None:
        """See ``Speaker``: refusals are small, and few."""

    def disconnected(self) -> None:
        """See ``Speaker``: tunnels have connections of their own, and go on."""
        self._channel = None

    def asked(self, message: Tunnel) -> None:
        """The server wants a tunnel, or one no more that is not open yet."""
        if message.action is TunnelAction.CLOSE:
            opening = self._opening.pop(message.id, None)
            if opening is not None:
                opening.cancel()
            return
        if message.id in self._opening:
            return  # it came twice
        refusal = self._refusal(message.port)
        if refusal:
            self._refuse(message.id, refusal)
            return
        opening = Deferred.fromCoroutine(self._open(message.id, message.port))
        if not opening.called:
            self._opening[message.id] = opening

    def stop(self) -> None:
        """End all tunnels."""
        for opening in tuple(self._opening.values()):
            opening.cancel()
        for joint in tuple(self._joints):
            joint.cut("the agent stops")

    def _refusal(self, port: int) -> str:
        """Why there will be no tunnel to ``port``; empty where there may be one."""
        if not self._ports:
            return "this device takes no tunnels: [ssh] is not enabled in its configuration"
        if port not in self._ports:
            allowed = ", ".join(map(str, self._ports))
            return f"port {port} is not open on this device: its configuration allows {allowed}"
        if len(self._joints) + len(self._opening) >= MOST:
            return f"{MOST} tunnels to this device are open already: close some first"
        return ""

    async def _open(self, id: bytes, port: int) -> None:
        try:
            local = await self._reach(port)
            try:
                await self._dial(id, port, local)
            except BaseException:
                local.abort()
                raise
        except (CancelledError, ConnectingCancelledError):
            pass  # the server wants it no more, or the agent stops
        except NoAnswer as error:
            self._refuse(id, str(error))
        except Exception as error:
            self._refuse(id, f"this device could not dial back: {_words(error)}")
        finally:
            self._opening.pop(id, None)

    async def _reach(self, port: int) -> LocalPort:
        """A connection to a port of this machine. Raises ``NoAnswer``."""
        endpoint = TCP4ClientEndpoint(self._reactor, LOOPBACK, port, timeout=LOCAL_WITHIN)
        try:
            local = await endpoint.connect(_factory(lambda: LocalPort(self._reactor)))
        except ConnectError as error:
            raise NoAnswer(f"nothing answers on port {port} of this device: {_words(error)}") from None
        assert isinstance(local, LocalPort)
        return local

    async def _dial(self, id: bytes, port: int, local: LocalPort) -> None:
        """Connect to the server, show it the id, and join the two."""
        handshakes = self._handshakes()
        dialled: Any = await self._connect(handshakes).connect(
            _factory(lambda: TunnelLink(self._reactor, handshakes, Tunnel(id, TunnelAction.OPEN, port)))
        )
        try:
            await dialled.accepted
        except BaseException:
            dialled.abort()
            raise
        joint = Joint(dialled, local, lambda reason: self._ended(joint, port, reason))
        self._joints.add(joint)
        self._log.say(f"A tunnel to port {port} was opened")
        local.join(joint.far)
        dialled.join(joint.near)

    def _ended(self, joint: Joint, port: int, reason: str) -> None:
        self._joints.discard(joint)
        self._log.say(f"A tunnel to port {port} ended: {reason}")

    def _refuse(self, id: bytes, reason: str) -> None:
        if self._channel is not None:
            self._channel.send(Tunnel(id, TunnelAction.CLOSE, 0, reason[:1000]))


def _factory(make: Callable[[], Protocol]) -> Any:
    factory = Factory.forProtocol(make)
    factory.noisy = False
    return factory


def _words(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
