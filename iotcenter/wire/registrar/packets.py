"""The registrar protocol's packets and codes: what a device says, and what it is answered."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from msgspec import Struct

MAX_PACKET = 1024
"""The longest packet in bytes: what the original clients read at a time."""

MAX_DEVICE_ID = 64
"""The longest device-id in characters."""

MAX_PASSWORD = 255
"""The longest password in characters; with the other fields it fits into a packet."""

HEARTBEAT = 180.0
"""Seconds between two STATUS packets of a device that is logged in."""

MISSED_HEARTBEATS = 3
"""So many heartbeats without a packet log a device off."""


class Code(StrEnum):
    """What an answer means. Numbers mean different things behind different packets; so each has a name of its own."""

    REGISTERED = "00"
    UNCHANGED = "01"
    READDRESSED = "02"
    ADDRESS_TAKEN = "12"
    MAC_TAKEN = "13"
    DEREGISTERED = "20"
    NOT_REGISTERED = "21"
    MISMATCH = "30"
    REFUSED = "31"
    ALIVE = "40"
    STORED = "50"
    LOGGED_IN = "70"
    LOGGED_OFF = "80"


class Found(StrEnum):
    """What an answer to QUERY says of the device that was asked for: its code is a number space of its own."""

    HERE = "01"
    UNKNOWN = "11"
    AWAY = "12"


HEARTBEAT_CODE = "01"
"""The code of STATUS."""

WHERE_CODE = "01"
"""The code of QUERY: where is it?"""


class Packet(Struct, frozen=True):
    """The base of all packets. ``device_id`` is whom the packet is from; in an answer, whom it is for."""

    TYPE: ClassVar[str]
    device_id: str

    def fields(self) -> tuple[str, ...]:
        """The fields behind the type."""
        raise TypeError("a packet is one of the types below")


class Account(Packet, frozen=True):
    """What REGISTER and DEREGISTER hold: who the device is, and where it listens for its peers."""

    password: str
    mac: str
    ip: str
    port: int

    def fields(self) -> tuple[str, ...]:
        """See ``Packet``."""
        return self.device_id, self.password, self.mac, self.ip, str(self.port)


class Register(Account, frozen=True):
    """Let me in from now on."""

    TYPE = "REGISTER"


class Deregister(Account, frozen=True):
    """Forget me."""

    TYPE = "DEREGISTER"


class Login(Packet, frozen=True):
    """I am here."""

    TYPE = "LOGIN"
    password: str
    ip: str
    port: int

    def fields(self) -> tuple[str, ...]:
        """See ``Packet``."""
        return self.device_id, self.password, self.ip, str(self.port)


class Logoff(Packet, frozen=True):
    """I go."""

    TYPE = "LOGOFF"

    def fields(self) -> tuple[str, ...]:
        """See ``Packet``."""
        return (self.device_id,)


class _Message(Packet, frozen=True):
    """What STATUS and DATA hold. ``time`` is as ``written_time`` makes it."""

    code: str
    time: str
    message: str

    def fields(self) -> tuple[str, ...]:
        """See ``Packet``."""
        return self.code, self.device_id, self.time, str(len(self.message)), self.message


class Status(_Message, frozen=True):
    """I am still here."""

    TYPE = "STATUS"


class Data(_Message, frozen=True):
    """A device's readings or a line of its log; from the center the answer to a QUERY."""

    TYPE = "DATA"


class Query(Packet, frozen=True):
    """Where is the device ``target``?"""

    TYPE = "QUERY"
    code: str
    time: str
    target: str

    def fields(self) -> tuple[str, ...]:
        """See ``Packet``."""
        return self.code, self.device_id, self.time, self.target


class Ack(Packet, frozen=True):
    """The answer to the packet with the SHA-256 ``digest`` (hexadecimal). It is never answered."""

    TYPE = "ACK"
    code: str
    time: str
    digest: str

    def fields(self) -> tuple[str, ...]:
        """See ``Packet``."""
        return self.code, self.device_id, self.time, self.digest
