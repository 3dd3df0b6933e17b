"""The SSH gateway as a service: its port, and the connections that came in by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from iotcenter.center.tunnels import Tunnels
from iotcenter.gateway.factory import GatewayFactory
from iotcenter.gateway.host_key import host_key, public_line
from iotcenter.identity.ssh_keys import SshKeys
from iotcenter.listening import Listener, endpoint_string


class Gateway(Listener):
    """The jump host. ``key`` is its public host key, as it stands in ``known_hosts``."""

    def __init__(self, reactor: Any, directory: Path, listen: str, keys: SshKeys, tunnels: Tunnels) -> None:
        own = host_key(directory)
        self.key = public_line(own)
        self._connections = GatewayFactory(reactor, own, keys, tunnels)
        super().__init__(reactor, endpoint_string(listen), self._connections, "the SSH gateway")

    async def _stop(self, closing: Any) -> None:
        await closing
        await self._connections.close()

    def stopService(self) -> Deferred[None]:
        """Close the port, tell those who are connected, and wait until they are gone."""
        return Deferred.fromCoroutine(self._stop(maybeDeferred(super().stopService)))
