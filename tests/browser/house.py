"""A whole server in this process, with devices that are made up, for browsers to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater
from twisted.internet.tcp import Connection

from iotcenter.config import load_config
from iotcenter.model import Role
from iotcenter.server import Server
from iotcenter.service import find_transports
from iotcenter.storage.lock import DataLock
from iotcenter.web.channel import BoundedChannel
from iotcenter.web.doors import Door
from iotcenter.web.parts import Parts
from iotcenter.web.principal import cookie_name

PASSWORD = "correct horse battery"


class House:
    """The server, on ports of loopback of its own. ``parts`` is what its pages use; people come in by ``door``."""

    def __init__(self, directory: Path, reactor: Any, door: Door = Door.HTTP) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        transports = find_transports()
        kinds = {name: transport.settings for name, transport in transports.items()}
        flags = dict.fromkeys(("web", "https", "tls", "udp", "ssh", "registrar"), "127.0.0.1:0")
        lock = DataLock.acquire(directory)
        self._door = door
        self._server = Server.open(reactor, directory, lock, load_config(None, flags, kinds), transports)
        self.parts: Parts = self._server._parts

    async def begin(self) -> None:
        """Let everybody in."""
        await self._server.begin()

    async def close(self) -> None:
        """Stop it, and close the connections that browsers keep for later."""
        await self._server.close()
        reactor = self.parts.reactor
        while channels := [one for one in reactor.getReaders() if isinstance(_protocol(one), BoundedChannel)]:
            for channel in channels:
                channel.abortConnection()
            await deferLater(reactor, 0)

    @property
    def url(self) -> str:
        """Where its pages are."""
        return f"{self._door.scheme}://127.0.0.1:{self._port}"

    @property
    def _port(self) -> int:
        ports = self.parts.ports
        address = ports.https if self._door is Door.HTTPS else ports.http
        assert address is not None
        return address[1]

    def cut(self) -> None:
        """Cut all connections of browsers."""
        for reader in self.parts.reactor.getReaders():
            if isinstance(reader, Connection) and reader.getHost().port == self._port:
                reader.abortConnection()

    async def user(self, name: str, role: Role, time_zone: str = "Europe/Berlin") -> dict[str, Any]:
        """Let somebody in; what comes back is the cookie of their session, as Playwright takes it."""
        await self.parts.users.add(name, role, PASSWORD, time_zone)
        secret = await self.parts.sessions.create(name)
        cookie = {
            "name": cookie_name(self._door),
            "value": secret,
            "url": self.url,
            "httpOnly": True,
            "sameSite": "Lax",
        }
        return {**cookie, "secure": self._door is Door.HTTPS}


def _protocol(reader: Any) -> Any:
    return getattr(reader, "protocol", None)
