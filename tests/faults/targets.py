"""What reads the bytes of strangers, each as a function that fails where anything but a clean refusal comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from iotcenter.identity.certificates import read_request
from iotcenter.interfaces import Refused
from iotcenter.model import Argument, ArgumentType, CommandOffer
from iotcenter.web.api.commands import NewCommand
from iotcenter.web.api.devices import NewDevice
from iotcenter.web.api.enrollments import NewEnrollment
from iotcenter.web.api.readings import ReadingsQuery
from iotcenter.web.api.taken import Taken
from iotcenter.web.body import JSON, read_form, read_json, read_query
from iotcenter.web.errors import problem_of
from iotcenter.web.hosts import parse_host
from iotcenter.web.when import BadTime, parse_time
from iotcenter.wire.arguments import check_arguments
from iotcenter.wire.errors import WireError
from iotcenter.wire.framing import frame
from iotcenter.wire.messages import Close, Enroll, Hello
from iotcenter.wire.registrar.codec import decode as decode_packet
from iotcenter.wire.registrar.codec import encode as encode_packet
from iotcenter.wire.registrar.packets import Data, Packet
from iotcenter.wire.registrar.stream import PacketReader
from iotcenter.wire.registrar.values import readings_of
from iotcenter.wire.token import Token, parse_token
from iotcenter.wire.udp import version1
from iotcenter.wire.udp.content import parse_content
from tests.faults.guests import channel_seeds, packed, sign_in_seeds, signing_in, speaking, strangers
from tests.faults.mutants import BODIES, framed
from tests.faults.surroundings import SECRET, Begin, Surroundings, enrollment, link, renewal
from tests.transports.support import new_key, request_for
from tests.web.requests import FORM, request
from tests.web.taken import TAKEN
from tests.wire.udp import vectors
from tests.wire.udp.network import World

STRANGER = ("192.0.2.66", 4242)
"""Where datagrams come from that nobody expects."""

OFFER = CommandOffer(
    "all",
    arguments=tuple(
        Argument(kind.value, kind, required=False, minimum=1.0, maximum=9.0, choices=("a", "b"))
        for kind in ArgumentType
    ),
)
"""A command with an argument of each type."""

BODY_SEEDS = (
    b'{"name":"all","args":{"integer":5,"text":"x","colour":"#ff8800","choice":"a"},"timeout":1,"lifetime":60}',
    b'{"name":"attic","lifetime":1800,"address":"[2001:db8::1]:8443","transport":"tls"}',
    b'{"name":"ann","role":"operator","password":"correct horse","time_zone":"Europe/Berlin"}',
    b'{"name":"grafana","role":"viewer","expires":1.8e9}',
)
QUERY_SEEDS = (
    b"device=kitchen-pi&series=temperature&from=now-6h&to=2026-11-22T14:00Z&step=60",
    b"limit=50&before=1&level=error",
)


@dataclass(frozen=True)
class Target:
    """A parser. The first byte of what ``run`` takes chooses among the ways in, the rest goes that way."""

    run: Callable[[bytes], None]
    seeds: Sequence[bytes]
    """What to begin with: input that is understood."""


def links(data: bytes) -> None:
    """A device's link, or its renewal: bytes as they come, or as the body of a frame, in one piece or many."""
    way, rest = data[:1], data[1:]
    choice = way[0] if way else 0
    greeting = frame(Hello()) if choice & 1 else b""
    _converse(renewal if choice & 2 else link, greeting + (framed(rest) if choice & 4 else rest), choice >> 3)


def enrollments(data: bytes) -> None:
    """A token's text, a certificate request, and the conversation in which both are shown."""
    way, rest = data[:1], data[1:]
    match (way[0] if way else 0) % 4:
        case 0:
            _expect(WireError, lambda: parse_token(rest.decode("latin-1")))
        case 1:
            _expect(Refused, lambda: read_request(rest))
        case 2:
            _converse(enrollment, frame(Enroll(SECRET, rest[:8192])), 0)
        case _:
            _converse(enrollment, framed(rest), 7)


def requests(data: bytes) -> None:
    """What comes with a request to the API, and what is made of it before anything is done."""
    way, rest = data[:1], data[1:]
    choice = way[0] if way else 0
    kind = TAKEN[(choice >> 2) % len(TAKEN)]
    try:
        match choice % 4:
            case 0:
                read_form(request(rest, FORM))
            case 1:
                _look_into(read_query(request(query=rest), kind))
            case _:
                _look_into(read_json(request(rest, JSON), kind))
    except Exception as error:
        problem = problem_of(error)
        if problem.status >= 500:
            raise
        assert problem.message
        msgspec.json.encode(problem.fields)


def datagrams(data: bytes) -> None:
    """Encrypted UDP: datagrams of strangers at both ends, records of a device, and version 1."""
    way, rest = data[:1], data[1:]
    world = World(1)
    device = world.add()
    match (way[0] if way else 0) % 4:
        case 0:
            assert world.server.receive(rest, STRANGER) is None
            assert not device.session.receive(rest, 0.0)
        case 1:
            device.report(1)
            world.run(1.0)
            session = world.server.endpoint.session_of(device.id)
            assert session is not None
            _expect(WireError, lambda: session._content(parse_content(rest), 1200, world.now))
        case 2:
            if version1.device_of(version1.MARK + rest) is not None:
                _expect(WireError, lambda: version1.open_packet(version1.MARK + rest, SECRET * 2))
        case _:
            _expect(WireError, lambda: version1.parse_payload(rest))


def packets(data: bytes) -> None:
    """The registrar's packets, as one or as a stream; what is taken is encoded again, and what it says looked at."""
    way, rest = data[:1], data[1:]
    pieces = [rest] if not way or way[0] % 2 else [rest[at : at + way[0]] for at in range(0, len(rest), way[0] or 1)]
    reader = PacketReader()
    found: list[bytes] = []
    try:
        for piece in pieces:
            found += reader.receive(piece)
    except WireError as error:
        assert str(error), "it does not say why"
    if reader.patience is not None:
        found.append(reader.silence())
    for packet in found:
        _expect(WireError, lambda packet=packet: _look_into_packet(decode_packet(packet)))  # type: ignore[misc]


def guests(data: bytes) -> None:
    """The SSH gateway: bytes and packets of strangers, requests to sign in, and what guests say."""
    way, rest = data[:1], data[1:]
    (strangers, packed, signing_in, speaking)[(way[0] if way else 0) % 4](rest)


def _look_into_packet(packet: Packet) -> None:
    assert decode_packet(encode_packet(packet)) == packet
    if isinstance(packet, Data):
        readings_of(packet.message)


def _converse(begin: Begin, data: bytes, size: int) -> None:
    """Have somebody send ``data``, and go: there is one reason, one line, and nothing left behind."""
    around = Surroundings()
    connection, transport = around.connect(begin)
    size = size or len(data) or 1
    for start in range(0, len(data), size):
        connection.dataReceived(data[start : start + size])
    said = transport.said()
    closes = [message for message in said if isinstance(message, Close)]
    assert closes in ([], said[-1:]), said
    assert len(around.lines) <= 1 and not any(line.startswith("A request") for line in around.lines), around.lines
    around.lose(connection)
    assert not around.clock.getDelayedCalls() and not around.watching


def _expect(refusal: type[Exception], parse: Callable[[], object]) -> None:
    try:
        parse()
    except refusal as error:
        assert str(error), "it does not say why"


def _look_into(taken: Taken) -> None:
    match taken:
        case NewCommand():
            check_arguments(OFFER, taken.args)
        case ReadingsQuery():
            _expect(BadTime, lambda: parse_time(taken.start, 1.7e9))
            _expect(BadTime, lambda: parse_time(taken.end, 1.7e9))
        case NewDevice() | NewEnrollment():
            parse_host(taken.address or "")


def _enrollment_seeds() -> tuple[bytes, ...]:
    csr = request_for(new_key())
    token = Token("center.example", 9998, b"f" * 32, b"s" * 16).text()
    return b"\x00" + token.encode(), b"\x01" + csr, b"\x02" + csr, b"\x03" + frame(Enroll(SECRET, csr))[4:]


PACKET_SEEDS = (
    b"REGISTER\tcam-1\tsecret\t00:11:22:aa:bb:cc\t10.0.0.7\t5000",
    b"LOGIN\tcam-1\tp\t::1\t65535\nLOGOFF\tcam-1\n",
    b"STATUS\t01\tcam-1\t2026-11-22:14:02:09\t9\theartbeat",
    b"DATA\t01\tcam-1\t2026-11-22:14:02:09\t12\tt=21.5,u=1e3",
    b'DATA\t01\tcam-1\t2026-11-22:14:02:09\t20\t{"values":{"t":1.5}}',
    b"QUERY\t01\tcam-1\t2026-11-22:14:02:09\tcam-2",
    b"ACK\t50\tcam-1\t2026-11-22:14:02:09\t" + b"ab" * 32,
)

TARGETS = {
    "links": Target(links, [bytes([choice]) + body for body in BODIES for choice in (4, 5, 5 | 3 << 3, 6)]),
    "enrollments": Target(enrollments, _enrollment_seeds()),
    "datagrams": Target(
        datagrams,
        [bytes([0]) + datagram for datagram in (vectors.HELLO, vectors.WELCOME, vectors.UP, vectors.DOWN)]
        + [bytes([1, kind | 0x40, 0, 9]) + body[:1] + body[2:] for kind in range(10) for body in BODIES]
        + [b"\x01\x41\0\x01" + b'{"t":1.5,"_b":1,"_s":2,"_a":3}', b"\x03" + b'{"values":{"t":1},"log":"x","mid":2}'],
    ),
    "requests": Target(
        requests,
        [bytes([2 | place << 2]) + body for body in BODY_SEEDS for place in range(len(TAKEN))]
        + [bytes([1 | place << 2]) + query for query in QUERY_SEEDS for place in range(len(TAKEN))]
        + [b"\x00name=a&csrf=b%20c"],
    ),
    "guests": Target(
        guests,
        [b"\x00SSH-2.0-x\r\n", b"\x01\x12\x14" + bytes(16)]
        + [b"\x02" + seed for seed in sign_in_seeds()]
        + [b"\x03" + seed for seed in channel_seeds()],
    ),
    "packets": Target(packets, [bytes([way]) + seed for seed in PACKET_SEEDS for way in (1, 6)]),
}
