"""Signing in: by a public key that a user has on file, and in no other way (RFC 4252)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from twisted.conch.ssh.keys import BadKeyError, Key
from twisted.conch.ssh.service import SSHService
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from iotcenter.gateway.numbers import Disconnect, Message
from iotcenter.gateway.packets import Malformed, Packet, string
from iotcenter.gateway.transport import SIGNATURES, Transport
from iotcenter.identity.ssh_keys import SshKeys
from iotcenter.model import Role
from iotcenter.storage.errors import StorageError

TRIES = 6
"""How many keys that are not good a client may try, as sshd has it."""

MOST_REQUESTS = 2 * TRIES + 2
"""How many requests a client may make in all: each key is named first, and then shown to be the user's."""

CONNECTION = b"ssh-connection"

KEY_TYPES = {b"rsa-sha2-512": b"ssh-rsa", b"rsa-sha2-256": b"ssh-rsa"}
"""The types of keys whose signatures bear other names than they."""


@dataclass(frozen=True)
class Guest:
    """Somebody who has signed in. ``key`` is the public key that they came by, ``zone`` that of their times."""

    name: str
    key: bytes
    zone: str


class UserAuth(SSHService):
    """Answers each request after the other. ``admitted`` is called with who signed in."""

    name = b"ssh-userauth"
    transport: Transport

    def __init__(self, keys: SshKeys, admitted: Callable[[Guest], None]) -> None:
        self._keys = keys
        self._admitted = admitted
        self._requests = 0
        self._failures = 0
        self._answering: Deferred[None] | None = None

    def serviceStopped(self) -> None:
        """The connection is gone, or somebody is in."""
        if self._answering is not None:
            self._answering.cancel()

    def packetReceived(self, messageNum: int, packet: bytes) -> None:
        """A request came."""
        if messageNum != Message.USERAUTH_REQUEST:
            raise Malformed("sign in first")
        if self._answering is not None:
            raise Malformed("one request at a time")
        self._requests += 1
        if self._requests > MOST_REQUESTS:
            raise Malformed("too many requests")
        answering = Deferred.fromCoroutine(self._answer(Packet(packet)))
        if not answering.called:
            self._answering = answering
        answering.addErrback(self._failed)

    def flow(self, writable: bool) -> None:
        """See ``Service``: there is no data yet."""

    async def _answer(self, packet: Packet) -> None:
        user, service, method = packet.string(), packet.string(), packet.string()
        if service != CONNECTION:
            raise Malformed("there is no such service")
        if method == b"publickey":
            await self._by_key(user, packet)
        else:
            self._refuse(counts=method != b"none")  # by which clients ask what there is
        self._answering = None

    async def _by_key(self, user: bytes, packet: Packet) -> None:
        """Somebody names a key, or shows that it is theirs."""
        signed, algorithm, blob = packet.flag(), packet.string(), packet.string()
        name = _text(user)
        known = name is not None and algorithm in SIGNATURES
        holder = await self._keys.holder(name or "", blob) if known else None
        if holder is None:
            self._refuse()
        elif not signed:
            self.transport.sendPacket(Message.USERAUTH_PK_OK, string(algorithm) + string(blob))
        elif not is_signed(blob, algorithm, packet.string(), self._to_sign(user, algorithm, blob)):
            self._refuse()
        elif not holder.role.covers(Role.OPERATOR):
            self.transport.refuse(f"{holder.name} has the role {holder.role}; SSH takes the role {Role.OPERATOR}")
        else:
            self._answering = None
            self._admitted(Guest(holder.name, blob, holder.time_zone))

    def _to_sign(self, user: bytes, algorithm: bytes, blob: bytes) -> bytes:
        """What a user's signature is of (RFC 4252, section 7)."""
        request = bytes([Message.USERAUTH_REQUEST]) + string(user) + string(CONNECTION) + string(b"publickey") + b"\x01"
        return string(self.transport.sessionID or b"") + request + string(algorithm) + string(blob)

    def _refuse(self, counts: bool = True) -> None:
        self._failures += counts
        if self._failures >= TRIES:
            self.transport.disconnect(
                Disconnect.NO_MORE_METHODS, f"none of {TRIES} keys is good: is yours on file? See iotcenter key add"
            )
        else:
            self.transport.sendPacket(Message.USERAUTH_FAILURE, string(b"publickey") + b"\x00")

    def _failed(self, failure: Failure) -> None:
        self._answering = None
        if failure.check(CancelledError):
            return
        if failure.check(Malformed):
            self.transport.disconnect(Disconnect.PROTOCOL_ERROR, failure.getErrorMessage())
        elif failure.check(StorageError):
            self.transport.disconnect(Disconnect.BY_APPLICATION, "nobody can sign in at this moment: try again later")
        else:
            self.transport.factory.log.failure("Signing in over SSH failed", failure)
            self.transport.disconnect(Disconnect.BY_APPLICATION, "something went wrong in the server")


def is_signed(blob: bytes, algorithm: bytes, signature: bytes, data: bytes) -> bool:
    """Whether ``signature`` is that of ``data`` by the key in ``blob``, made with ``algorithm`` and no other."""
    try:
        if Packet(blob).string() != KEY_TYPES.get(algorithm, algorithm) or Packet(signature).string() != algorithm:
            return False
        return bool(Key.fromString(blob).verify(signature, data))
    except (Malformed, BadKeyError, UnsupportedAlgorithm, struct.error, LookupError, TypeError, ValueError):
        return False


def _text(name: bytes) -> str | None:
    try:
        return name.decode() if len(name) <= 64 else None
    except UnicodeDecodeError:
        return None
