"""Devices that a test holds in its hand: real credentials, real links, and nothing but what the test says over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.x509 import load_der_x509_certificate
from OpenSSL import SSL
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS

from iotcenter.wire.messages import Enroll, Enrolled, Hello, Welcome
from iotcenter.wire.names import ALPN_ENROLL
from iotcenter.wire.token import parse_token
from iotdevice.credentials import load_credentials
from tests.daemons import ServerProcess
from tests.transports.support import Client, Creator, client_context, new_key, request_for


def device_context(directory: Path) -> SSL.Context:
    """What the device that is enrolled in ``directory`` shows."""
    credentials = load_credentials(directory)
    assert credentials is not None
    return client_context(credentials.key, [credentials.certificate])


async def connect(reactor: Any, port: int, context: SSL.Context, client: Client | None = None) -> Client:
    """A client whose TCP connection stands, and whose handshake is under way."""
    endpoint = HostnameEndpoint(reactor, b"127.0.0.1", port, timeout=30)
    client = client or Client()
    await connectProtocol(wrapClientTLS(Creator(context), endpoint), client)
    return client


async def join(
    reactor: Any, port: int, context: SSL.Context, hello: Hello | None = None, client: Client | None = None
) -> Client:
    """A link that the server has taken in."""
    client = await connect(reactor, port, context, client)
    welcome = client.next(Welcome)
    client.send(hello or Hello(boot=1))
    await welcome
    return client


async def enroll_in_memory(reactor: Any, server: ServerProcess, name: str) -> SSL.Context:
    """What a device shows that is enrolled without a directory: for those of which many are needed."""
    key, token = new_key(), parse_token(await server.token(name))
    client = await connect(reactor, server.tls, client_context(protocols=[ALPN_ENROLL]))
    enrolled = client.next(Enrolled)
    client.send(Enroll(token.secret, request_for(key), "test/1"))
    certificate = load_der_x509_certificate((await enrolled).certificate)
    await client.lost
    return client_context(key, [certificate])
