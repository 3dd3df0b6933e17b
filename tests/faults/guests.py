"""The SSH gateway without a network, as somebody hostile meets it: before they sign in, while they try, and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import Key
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from iotcenter.center.tunnels import Opener, Session
from iotcenter.gateway.channels import Channels
from iotcenter.gateway.factory import GatewayFactory
from iotcenter.gateway.host_key import host_key
from iotcenter.gateway.numbers import Message
from iotcenter.gateway.packets import Malformed, number, string
from iotcenter.gateway.userauth import CONNECTION, Guest, UserAuth
from iotcenter.gateway.windows import Windows
from iotcenter.model import Role
from iotcenter.storage.ssh_keys import Holder
from iotcenter.wire.joint import Joint
from tests.gateway.strangers import Pipe, Quiet, opening, plain
from tests.wire.test_joint import Recorder

VERSION = b"SSH-2.0-test\r\n"


@cache
def _own_key() -> Key:
    with TemporaryDirectory() as folder:
        return host_key(Path(folder))


@cache
def _users_key() -> Key:
    return Key(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


class OneKey:
    """The keys of users: ann has one."""

    async def holder(self, user: str, blob: bytes) -> Holder | None:
        """See ``SshKeys``."""
        return Holder("ann", Role.OPERATOR, "UTC") if blob == _users_key().blob() else None


class Answering:
    """Tunnels that stand at once, to somebody who only listens."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []

    async def open(self, name: str, port: int, opener: Opener, near: Any, ready: Callable[..., None]) -> None:
        """See ``Tunnels``."""
        session = Session(cast(Any, None), port, opener, 0.0)
        session.joint = Joint(near, Recorder(), session.ended, lambda: session.released())
        self.sessions.append(session)
        ready(session, session.joint.near)


def packets_in(data: bytes) -> Iterator[bytes]:
    """``data`` as packets, each with its length in the byte before it."""
    while data:
        yield data[1 : data[0] + 2] or b"\0"
        data = data[data[0] + 2 :]


def strangers(data: bytes) -> None:
    """Bytes behind the version, from somebody who has not signed in: nothing comes out, and nothing is left over."""
    clock = Clock()
    factory = GatewayFactory(clock, _own_key(), cast(Any, OneKey()), cast(Any, Answering()))
    transport, pipe = factory.buildProtocol(None), Pipe()
    transport.makeConnection(pipe)
    transport.dataReceived(VERSION)
    transport.dataReceived(data)
    assert transport.guest is None
    transport.connectionLost(Failure(ConnectionDone()))
    assert not clock.getDelayedCalls() and not len(factory.strangers)


def packed(data: bytes) -> None:
    """The same, where ``data`` comes in whole packets."""
    strangers(b"".join(map(plain, packets_in(data))))


def signing_in(data: bytes) -> None:
    """Requests to sign in over an encrypted connection: nobody gets in whom the one key does not let in."""
    admitted: list[Guest] = []
    service, transport = UserAuth(cast(Any, OneKey()), admitted.append), Quiet()
    service.transport = cast(Any, transport)
    _say(service, packets_in(data))
    assert not admitted or admitted[0].key == _users_key().blob()


def speaking(data: bytes) -> None:
    """What somebody who has signed in says, on channels and about them."""
    channels, transport = (
        Channels(Guest("ann", b"", "UTC"), cast(Any, Answering()), Opener("ann", "test"), Windows()),
        Quiet(),
    )
    channels.transport = cast(Any, transport)
    _say(channels, packets_in(data))
    channels.serviceStopped()


def _say(service: Any, packets: Iterable[bytes]) -> None:
    """Have ``service`` hear ``packets``, until it has enough; it says why."""
    for packet in packets:
        try:
            service.packetReceived(packet[0], packet[1:])
        except Malformed as error:
            assert str(error), "it does not say why"
            return
        if service.transport.ended:
            return


def _seed(*packets: bytes) -> bytes:
    return b"".join(bytes([len(packet) - 1]) + packet for packet in packets)


def _request(signature: bytes = b"") -> bytes:
    kind = bytes([Message.USERAUTH_REQUEST])
    head = kind + string(b"ann") + string(CONNECTION) + string(b"publickey") + bytes([bool(signature)])
    return head + string(b"ssh-ed25519") + string(_users_key().blob()) + signature


def sign_in_seeds() -> tuple[bytes, ...]:
    """A key that is named, and one that is shown to be the user's."""
    signed = _request(b"\0")[:-1]
    signature = string(_users_key().sign(string(Quiet.sessionID) + signed))
    none = bytes([Message.USERAUTH_REQUEST]) + string(b"ann") + string(CONNECTION) + string(b"none")
    return _seed(_request()), _seed(signed + signature), _seed(none, _request(), signed + signature)


def channel_seeds() -> tuple[bytes, ...]:
    """A channel that is opened, written to, and closed; and requests that are refused."""
    opened = bytes([Message.CHANNEL_OPEN]) + opening()
    data = bytes([Message.CHANNEL_DATA]) + number(1) + string(b"hello")
    wider = bytes([Message.CHANNEL_WINDOW_ADJUST]) + number(1) + number(2**20)
    ends = [bytes([kind]) + number(1) for kind in (Message.CHANNEL_EOF, Message.CHANNEL_CLOSE)]
    asked = bytes([Message.CHANNEL_REQUEST]) + number(1) + string(b"shell") + b"\1"
    alive = bytes([Message.GLOBAL_REQUEST]) + string(b"keepalive@openssh.com") + b"\1"
    return _seed(opened, data, wider, *ends), _seed(opened, asked, data, ends[1]), _seed(alive, opened, opened)
