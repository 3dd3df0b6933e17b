"""Makes the server's end of each SSH connection, and watches over those who have signed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.conch.ssh.keys import Key
from twisted.conch.ssh.service import SSHService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from iotcenter.center.tunnels import Opener, Tunnels
from iotcenter.gateway.channels import Channels
from iotcenter.gateway.numbers import Disconnect
from iotcenter.gateway.packets import Malformed
from iotcenter.gateway.transport import Transport
from iotcenter.gateway.userauth import Guest, UserAuth
from iotcenter.gateway.windows import Windows
from iotcenter.identity.ssh_keys import SshKeys
from iotcenter.identity.strangers import Strangers
from iotcenter.listening import plain_address
from iotcenter.logs import LogLimit, activity
from iotcenter.model import Role

MAX_STRANGERS = 300
"""The most connections that have not signed in: with their buffers and ciphers some 30 MB."""

MAX_STRANGERS_EACH = 100
"""The same from one source: a copy to a hundred devices at once begins so."""

MOST_OF_USER = 200
"""The most connections of one user: each program that a person runs has one, and an idle one costs 100 kB."""

_activity = activity()


class GatewayFactory(Factory):
    """What Conch's transport needs of a factory, and no more of one."""

    noisy = False
    log = Logger()

    def __init__(self, reactor: Any, key: Key, keys: SshKeys, tunnels: Tunnels) -> None:
        self.reactor = reactor
        self.strangers = Strangers(MAX_STRANGERS, MAX_STRANGERS_EACH)
        self.publicKeys = {b"ssh-ed25519": key.public()}
        self.privateKeys = {b"ssh-ed25519": key}
        self._keys = keys
        self._tunnels = tunnels
        self._windows = Windows()
        self._limit = LogLimit(reactor.seconds)
        self._open: set[Transport] = set()
        self._of_user: Counter[str] = Counter()
        self._unwatch: dict[Transport, Callable[[], None]] = {}
        self._all_gone: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A connection for ``addr``. It is a stranger's, and may have to make way for another."""
        transport = Transport(plain_address(getattr(addr, "host", "local")))
        transport.factory = self
        self._open.add(transport)
        self.strangers.add(transport)
        return transport

    def getService(self, transport: Transport, name: bytes) -> Callable[[], SSHService]:
        """The service that a client asks for: strangers sign in, and what comes after that is not theirs to choose."""
        if name != b"ssh-userauth" or transport.service is not None:
            raise Malformed("there is no such service now")
        return lambda: UserAuth(self._keys, lambda guest: self._admit(transport, guest))

    async def close(self) -> None:
        """End every connection; done when the last is gone."""
        for transport in tuple(self._open):
            transport.disconnect(Disconnect.BY_APPLICATION, "the server is stopping")
        if self._open:
            self._all_gone = Deferred()
            await self._all_gone

    def gone(self, transport: Transport) -> None:
        """``transport`` is closed."""
        self._open.discard(transport)
        self.strangers.remove(transport)
        self._unwatch.pop(transport, _nothing)()
        if transport.guest is not None:
            self._of_user[transport.guest.name] -= 1
            if not self._of_user[transport.guest.name]:
                del self._of_user[transport.guest.name]
        if not self._open and self._all_gone is not None:
            self._all_gone.callback(None)
            self._all_gone = None

    def complain(self, host: str, what: str) -> None:
        """Say in the log what was wrong with somebody, as long as the log is not flooded by it."""
        if self._limit.allow():
            skipped = self._limit.skipped()
            more = f" ({skipped} lines like this were left out)" if skipped else ""
            self.log.warn("SSH from {host}: {what}{more}", host=host, what=what, more=more)

    def _admit(self, transport: Transport, guest: Guest) -> None:
        if self._of_user[guest.name] >= MOST_OF_USER:
            transport.refuse(f"{guest.name} has {MOST_OF_USER} connections open already: close some first")
            return
        self._of_user[guest.name] += 1
        transport.admit(guest)
        self._watch(transport, guest)
        if self._limit.allow():
            _activity.info("{who} signed in over SSH from {host}", who=guest.name, host=transport.host)
        self._keys.used(guest.key).addErrback(self._not_noted)
        opener = Opener(guest.name, f"SSH from {transport.host}", guest.zone)
        transport.succeed(Channels(guest, self._tunnels, opener, self._windows))

    def _watch(self, transport: Transport, guest: Guest) -> None:
        def look(reason: str) -> None:
            Deferred.fromCoroutine(self._look_again(transport, guest, reason)).addErrback(failed)

        def failed(failure: Failure) -> None:
            # Whoever cannot be shown to be still allowed in is not.
            transport.disconnect(Disconnect.BY_APPLICATION, "it could not be found out whether you may stay")

        self._unwatch[transport] = self._keys.watch(guest.name, look)

    async def _look_again(self, transport: Transport, guest: Guest, reason: str) -> None:
        """Something about the user changed: do they still come in by this key?"""
        if transport not in self._open:
            return
        self._watch(transport, guest)  # before the question, since more may change while it is answered
        holder = await self._keys.holder(guest.name, guest.key)
        if holder is None or not holder.role.covers(Role.OPERATOR):
            transport.disconnect(Disconnect.BY_APPLICATION, reason)

    def _not_noted(self, failure: Failure) -> None:
        """That a key was used is worth knowing, and not worth failing for."""


def _nothing() -> None:
    """Nobody watches."""
