"""Devices that a test holds in its hand: real credentials, real links, and nothing but what the test says over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS

from iotcenter.wire.messages import Hello, Welcome
from iotdevice.credentials import load_credentials
from tests.daemons import ServerProcess
from tests.transports.support import Client, Creator, client_context


def device_context(directory: Path) -> SSL.Context:
    """What the device that is enrolled in ``directory`` shows."""
    credentials = load_credentials(directory)
    assert credentials is not None
    return client_context(credentials.key, [credentials.certificate])


async def connect(reactor: Any, port: int, context: SSL.Context) -> Client:
    """A client whose TCP connection stands, and whose handshake is under way."""
    endpoint = HostnameEndpoint(reactor, b"127.0.0.1", port, timeout=30)
    client: Client = await connectProtocol(wrapClientTLS(Creator(context), endpoint), Client())
    return client


async def join(reactor: Any, port: int, context: SSL.Context, hello: Hello | None = None) -> Client:
    """A link that the server has taken in."""
    client = await connect(reactor, port, context)
    welcome = client.next(Welcome)
    client.send(hello or Hello(boot=1))
    await welcome
    return client


async def new_device(reactor: Any, server: ServerProcess, name: str, folder: Path) -> SSL.Context:
    """What a device shows that is enrolled for the occasion."""
    directory = folder / name
    await server.enroll(name, directory)
    return device_context(directory)
