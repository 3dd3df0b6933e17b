"""Packets to the center and what its answers mean: what was sent and what came in, an answer out."""

from __future__ import annotations

from enum import IntEnum
from ipaddress import ip_address

from msgspec import Struct

from iotcenter.wire.errors import WireError
from iotcenter.wire.registrar.codec import decode, digest_of, encode
from iotcenter.wire.registrar.packets import Ack, Code, Data, Found, Packet, Query


class Outcome(IntEnum):
    """What became of a request: the exit status of the subcommand for it."""

    DONE = 0
    FAILED = 1
    REFUSED = 3
    NOT_THERE = 4


MEANINGS: dict[tuple[str, str], tuple[str, Outcome]] = {
    ("REGISTER", Code.REGISTERED): ("registered", Outcome.DONE),
    ("REGISTER", Code.UNCHANGED): ("already registered with this device-id, MAC and IP", Outcome.DONE),
    ("REGISTER", Code.READDRESSED): ("the address is updated", Outcome.DONE),
    ("REGISTER", Code.ADDRESS_TAKEN): ("refused: the IP and port belong to another device", Outcome.REFUSED),
    ("REGISTER", Code.MAC_TAKEN): ("refused: the MAC belongs to another device", Outcome.REFUSED),
    ("REGISTER", Code.MISMATCH): (
        "refused: nobody added this device-id there, or it is registered with another MAC or password",
        Outcome.REFUSED,
    ),
    ("DEREGISTER", Code.DEREGISTERED): ("removed", Outcome.DONE),
    ("DEREGISTER", Code.NOT_REGISTERED): ("not registered", Outcome.NOT_THERE),
    ("DEREGISTER", Code.MISMATCH): ("refused: registered with another MAC, IP or password", Outcome.REFUSED),
    ("LOGIN", Code.LOGGED_IN): ("logged in", Outcome.DONE),
    ("LOGIN", Code.REFUSED): ("refused: unknown device, wrong password, or already logged in", Outcome.REFUSED),
    ("LOGOFF", Code.LOGGED_OFF): ("logged off", Outcome.DONE),
    ("STATUS", Code.ALIVE): ("alive", Outcome.DONE),
    ("DATA", Code.STORED): ("stored", Outcome.DONE),
    ("QUERY", Found.HERE): ("found", Outcome.DONE),
    ("QUERY", Found.UNKNOWN): ("no such device", Outcome.NOT_THERE),
    ("QUERY", Found.AWAY): ("known, but not logged in", Outcome.NOT_THERE),
}

NOT_LOGGED_IN = ("refused: not logged in", Outcome.REFUSED)
"""Code 31, where it answers anything but LOGIN."""


class BadAnswer(Exception):
    """What came back is no answer to what was sent; the text says why."""


class Answer(Struct, frozen=True):
    """A code, what it means behind the packet that it answers, and the message that came with it."""

    code: str
    meaning: str
    outcome: Outcome
    message: str = ""

    @property
    def address(self) -> tuple[str, int] | None:
        """Where the device is that was asked for, where it was found."""
        ip, _, port = self.message.partition("\t")
        try:
            found = str(ip_address(ip)), int(port)
        except ValueError:
            return None
        return found if self.code == Found.HERE and 0 < found[1] < 65536 else None

    def line(self) -> str:
        """The answer for people."""
        message = self.message.replace("\t", ":")
        return f"{self.code} {self.meaning}{': ' if message else ''}{printable(message)}"


class Exchange:
    """A packet of ours, and what is taken for its answer. Raises ``WireError`` for what no packet can carry."""

    def __init__(self, packet: Packet) -> None:
        self.sent = encode(packet)
        decode(self.sent)
        self._packet = packet

    def answer(self, data: bytes) -> Answer:
        """The answer in ``data``, from the center or from a peer. Raises ``BadAnswer``."""
        try:
            packet = decode(data)
        except WireError as error:
            raise BadAnswer(f"the answer is no packet: {error}") from None
        if isinstance(packet, Data) and isinstance(self._packet, Query):
            return self._meant(packet.code, packet.message)
        if isinstance(packet, Ack) and packet.digest.lower() == digest_of(self.sent):
            return self._meant(packet.code, "")
        raise BadAnswer("the answer is to another packet")

    def _meant(self, code: str, message: str) -> Answer:
        known = MEANINGS.get((self._packet.TYPE, code))
        if known is None:
            known = NOT_LOGGED_IN if code == Code.REFUSED else ("a code without a meaning here", Outcome.FAILED)
        return Answer(code, *known, message)


def printable(text: str) -> str:
    """Text of strangers, so that it does nothing to a terminal."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
