"""The registrar protocol's text: bytes in, packets out, and back.

A packet is a line of UTF-8 text: its type, then fields with one TAB between them. Whatever stands in the last field of
DATA and STATUS belongs to it, TABs too: an answer to QUERY holds one.
"""

from __future__ import annotations

import hashlib
import re
import time
from ipaddress import ip_address

from iotcenter.wire.errors import WireError
from iotcenter.wire.registrar.packets import (
    HEARTBEAT_CODE,
    MAX_DEVICE_ID,
    MAX_PACKET,
    MAX_PASSWORD,
    WHERE_CODE,
    Ack,
    Data,
    Deregister,
    Login,
    Logoff,
    Packet,
    Query,
    Register,
    Status,
)

TIME_FORMAT = "%Y-%m-%d:%H:%M:%S"

_TIME = re.compile(r"\d{4}-\d\d-\d\d:\d\d:\d\d:\d\d")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?P<between>[:-]?)([0-9A-Fa-f]{2}(?P=between)){4}[0-9A-Fa-f]{2}")
_CODE = re.compile(r"\d{2}")
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_NUMBER = re.compile(r"\d{1,5}")


def encode(packet: Packet) -> bytes:
    """The bytes of ``packet``, without a newline. Raises ``WireError`` for one that no packet can carry."""
    if any(letter in field for field in packet.fields()[:-1] for letter in "\t\r\n"):
        raise WireError("only a message may hold a TAB or a line break")
    data = "\t".join((packet.TYPE, *packet.fields())).encode()
    if len(data) > MAX_PACKET:
        raise WireError(f"packet of {len(data)} bytes is over the limit of {MAX_PACKET}")
    return data


def decode(data: bytes) -> Packet:
    """The packet that ``data`` holds, with or without a newline at its end.

    Raises ``WireError`` with what is wrong; it repeats nothing of the packet, which may hold a password.
    """
    if len(data) > MAX_PACKET:
        raise WireError(f"packet of {len(data)} bytes is over the limit of {MAX_PACKET}")
    try:
        text = stripped(data).decode()
    except UnicodeDecodeError:
        raise WireError("packet is not UTF-8") from None
    kind, _, rest = text.partition("\t")
    reader = _READERS.get(kind)
    if reader is None:
        raise WireError("packet is of an unknown type")
    return reader(rest)


def stripped(data: bytes) -> bytes:
    """A packet without the newline that ended it."""
    return data.removesuffix(b"\n").removesuffix(b"\r")


def digest_of(data: bytes) -> str:
    """What an ACK says of the packet that it answers: its SHA-256, in hexadecimal digits."""
    return hashlib.sha256(stripped(data)).hexdigest()


def written_time(seconds: float) -> str:
    """A Unix time as packets have it, in the zone of this machine."""
    return time.strftime(TIME_FORMAT, time.localtime(seconds))


def canonical_mac(mac: str) -> str:
    """The same text for the same MAC address, however it was written."""
    return re.sub("[:-]", "", mac).lower()


def _fields(rest: str, count: int, kind: str) -> list[str]:
    fields = rest.split("\t", count - 1)
    if len(fields) != count or ("\t" in fields[-1] and kind not in (Data.TYPE, Status.TYPE)):
        raise WireError(f"{kind} has {count} fields behind its type, this one has {rest.count(chr(9)) + 1}")
    return fields


def _register(rest: str) -> Register:
    return Register(*_account(rest, Register.TYPE))


def _deregister(rest: str) -> Deregister:
    return Deregister(*_account(rest, Deregister.TYPE))


def _account(rest: str, kind: str) -> tuple[str, str, str, str, int]:
    device_id, password, mac, ip, port = _fields(rest, 5, kind)
    if _MAC.fullmatch(mac) is None:
        raise WireError("the MAC address is none")
    return _device_id(device_id), _password(password), mac, _ip(ip), _port(port)


def _login(rest: str) -> Login:
    device_id, password, ip, port = _fields(rest, 4, Login.TYPE)
    return Login(_device_id(device_id), _password(password), _ip(ip), _port(port))


def _logoff(rest: str) -> Logoff:
    (device_id,) = _fields(rest, 1, Logoff.TYPE)
    return Logoff(_device_id(device_id))


def _status(rest: str) -> Status:
    status = Status(*_message(rest, Status.TYPE))
    if status.code != HEARTBEAT_CODE:
        raise WireError("the code of STATUS is 01")
    return status


def _data(rest: str) -> Data:
    return Data(*_message(rest, Data.TYPE))


def _message(rest: str, kind: str) -> tuple[str, str, str, str]:
    code, device_id, moment, length, message = _fields(rest, 5, kind)
    if _NUMBER.fullmatch(length) is None or int(length) not in (len(message), len(message.encode())):
        raise WireError("the length is not that of the message, neither in characters nor in bytes")
    return _device_id(device_id), _code(code), _time(moment), message


def _query(rest: str) -> Query:
    code, device_id, moment, target = _fields(rest, 4, Query.TYPE)
    if code != WHERE_CODE:
        raise WireError("the code of QUERY is 01")
    return Query(_device_id(device_id), code, _time(moment), _device_id(target))


def _ack(rest: str) -> Ack:
    code, device_id, moment, digest = _fields(rest, 4, Ack.TYPE)
    if _HASH.fullmatch(digest) is None:
        raise WireError("the hash is no SHA-256 in hexadecimal digits")
    return Ack(_device_id(device_id), _code(code), _time(moment), digest)


def _device_id(text: str) -> str:
    if not 1 <= len(text) <= MAX_DEVICE_ID or not text.isprintable():
        raise WireError(f"a device-id has 1 to {MAX_DEVICE_ID} printable characters")
    return text


def _password(text: str) -> str:
    if not 1 <= len(text) <= MAX_PASSWORD:
        raise WireError(f"a password has 1 to {MAX_PASSWORD} characters")
    return text


def _ip(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise WireError("the IP address is none") from None


def _port(text: str) -> int:
    if _NUMBER.fullmatch(text) is None or not 1 <= int(text) <= 65535:
        raise WireError("a port is a number from 1 to 65535")
    return int(text)


def _time(text: str) -> str:
    try:
        time.strptime(text if _TIME.fullmatch(text) else "", TIME_FORMAT)
    except ValueError:
        raise WireError("a time is written YYYY-MM-DD:HH:MM:SS") from None
    return text


def _code(text: str) -> str:
    if _CODE.fullmatch(text) is None:
        raise WireError("a code has two digits")
    return text


_READERS = {
    Register.TYPE: _register,
    Deregister.TYPE: _deregister,
    Login.TYPE: _login,
    Logoff.TYPE: _logoff,
    Status.TYPE: _status,
    Data.TYPE: _data,
    Query.TYPE: _query,
    Ack.TYPE: _ack,
}
