"""Asking a device whether something answers on a port of it, before anybody relies on that."""

from __future__ import annotations

from iotcenter.center.tunnels import Opener, Tunnels


class Nobody:
    """A ``Side`` that says nothing and hears nothing."""

    def write(self, data: bytes) -> None:
        """See ``Side``: what a server says first goes nowhere."""

    def finish(self) -> None:
        """See ``Side``."""

    def close(self) -> None:
        """See ``Side``."""

    def abort(self) -> None:
        """See ``Side``."""

    def pause(self) -> None:
        """See ``Side``."""

    def resume(self) -> None:
        """See ``Side``."""


async def try_out(tunnels: Tunnels, device: str, port: int, opener: Opener) -> None:
    """Have the device dial back and reach ``port``, and leave at once. Raises ``TunnelRefused`` with the reason."""
    asking = opener._replace(way=f"{opener.way}, to see whether it answers")
    await tunnels.open(device, port, asking, Nobody(), lambda _, half: half.lost("it answers"))
