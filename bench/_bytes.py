"""Bytes on the wire: encrypted UDP, and TLS beside it, each on real sockets with one reading on its way at a time.

What the sockets carried is counted, with the headers of IPv4 and UDP (28 bytes a datagram), or of IPv4 and TCP with
timestamps (52 bytes a segment, as the kernel counts segments). The link layer is not counted.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet.threads import deferToThread

from iotcenter.model import Message, Reading
from iotcenter.wire.codec import decode
from iotcenter.wire.framing import FrameReader, frame
from iotcenter.wire.heartbeat import DEFAULT_INTERVAL
from iotcenter.wire.messages import Ack, Hello, Ping, Pong, Report
from iotcenter.wire.names import ALPN_LINK
from iotcenter.wire.udp.content import Kind
from iotcenter.wire.udp.device import LIFETIME
from iotcenter.wire.udp.keepalive import LONGEST
from tests.daemons import ServerProcess
from tests.udp_device import UdpDevice

IP_AND_UDP = 28
IP_AND_TCP = 52

MONTH = 30 * 86400.0

TIMES = 20
"""How often each exchange is done, for its mean."""

PAUSE = 0.1
"""Seconds between two exchanges: acknowledgements of TCP go out by themselves meanwhile, as they do in between rare
readings."""

_TCP_BYTES = struct.Struct("=QQII")
_TCP_BYTES_AT = 120
_TCP_INFO = 192


class Bytes(NamedTuple):
    """What a link costs: to begin it, for a reading, and to be kept for a month in which nothing is said."""

    begin: float
    reading: float
    idle_month: float


async def over_udp(reactor: Any, server: ServerProcess) -> Bytes:
    """Count what a chip sends and gets. Where the keepalive ends up is what a network with long memory gives."""
    added = await server.ask("devices", {"name": "frugal", "transport": "udp"})
    device = UdpDevice(reactor, ("127.0.0.1", server.udp), added["id"], added["key"])
    try:
        device.open()
        await device.report(1)
        begin, count = _carried(device), len(device.sent)
        for number in range(TIMES):
            await device.report(number + 2)
        reading = (_carried(device) - begin) / TIMES
        before = _carried(device)
        for _ in range(TIMES):
            await device.put(Kind.PING, b"", "ping")
        ping = (_carried(device) - before) / TIMES
        assert len(device.sent) == count + 2 * TIMES
    finally:
        await device.close()
    return Bytes(begin - reading, reading, MONTH / LONGEST * ping + MONTH / LIFETIME * (begin - reading))


def _carried(device: UdpDevice) -> int:
    datagrams = [*device.sent, *device.received]
    return sum(map(len, datagrams)) + IP_AND_UDP * len(datagrams)


async def over_tls(server: ServerProcess, folder: Path) -> Bytes:
    """Count what a Linux device sends and gets."""
    await server.enroll("talkative", folder)
    return await deferToThread(_over_tls, server.tls, folder / "identity.pem")


def _over_tls(port: int, identity: Path) -> Bytes:
    link = _Link(port, identity)
    try:
        link.exchange(Hello(boot=1))
        begin = link.carried()
        for number in range(TIMES):
            link.exchange(Report(1, number + 1, (Reading("t", 21.5),)), Ack)
        reading = (link.carried() - begin) / TIMES
        before = link.carried()
        for _ in range(TIMES):
            link.exchange(Ping(), Pong)
        return Bytes(begin, reading, MONTH / DEFAULT_INTERVAL * (link.carried() - before) / TIMES)
    finally:
        link.close()


class _Link:
    """A device's connection. The server's certificate is not looked at."""

    def __init__(self, port: int, identity: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(identity)
        context.set_alpn_protocols([ALPN_LINK.decode()])
        self._tls = context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
        self._reader = FrameReader()

    def exchange(self, message: Message, answer: type[Message] = Message) -> None:
        """Say something, and wait for the answer."""
        self._tls.sendall(frame(message))
        while not any(isinstance(decode(body), answer) for body in self._reader.receive(self._tls.recv(4096))):
            pass
        time.sleep(PAUSE)

    def carried(self) -> int:
        """Bytes so far, both ways."""
        info = self._tls.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO)
        acknowledged, received, sent, came = _TCP_BYTES.unpack_from(info, _TCP_BYTES_AT)
        return int(acknowledged + received + IP_AND_TCP * (sent + came))

    def close(self) -> None:
        """Go."""
        self._tls.close()
