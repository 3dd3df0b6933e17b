"""Ports that lead to a device: who connected, and whom the device has not dialled back for yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from iotcenter.center.tunnels import Opener
from iotcenter.interfaces import Refused
from iotcenter.model import SshOffer
from iotcenter.wire.joint import Half
from iotcenter.wire.messages import Tunnel, TunnelAction
from tests.center.support import HELLO, CenterTestCase
from tests.wire.test_joint import Recorder


class Caller(Recorder):
    """Somebody who connected."""

    def __init__(self) -> None:
        super().__init__()
        self.half: Half | None = None
        self.gone: Callable[[], None] = lambda: None

    def join(self, half: Half) -> None:
        """The device is there."""
        self.half = half


class Door:
    """A port that listens."""

    host = "127.0.0.1"
    port = 4711

    def close(self) -> None:
        """Listen no more."""


class OpenPortTests(CenterTestCase):
    """``ann`` opened a port to ``kitchen-pi``, and somebody connected to it."""

    async def setUp(self) -> None:  # type: ignore[override]
        """The device was asked to dial back."""
        await super().setUp()
        self.link, _ = self.join(replace(HELLO, ssh=SshOffer((22,))))
        self.callers: list[Callable[[Any], None]] = []
        self.center.open_ports.listen = self.listen
        self.center.open_ports.open("kitchen-pi", 22, 600.0, Opener("ann", "test"), ("127.0.0.1", 0))
        self.caller = Caller()
        self.callers[0](self.caller)

    def listen(self, host: str, port: int, connected: Callable[[Any], None]) -> Door:
        """Open a port."""
        self.callers.append(connected)
        return Door()

    def test_joined(self) -> None:
        """They are joined when the device dials back."""
        self.center.meet(self.device, self.link.of(Tunnel)[-1].id, Recorder())()
        self.assertIsNotNone(self.caller.half)

    def test_closed_meanwhile(self) -> None:
        """Where whoever opened the port may do so no more, nobody comes through it who waited for the device."""
        asked = self.link.of(Tunnel)[-1]
        self.center.open_ports.dismiss("ann")
        self.assertEqual(self.link.of(Tunnel)[-1].action, TunnelAction.CLOSE)
        self.assertRaises(Refused, self.center.meet, self.device, asked.id, Recorder())
        self.assertEqual((self.caller.half, self.caller.done), (None, ["close"]))
