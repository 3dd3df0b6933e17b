"""Devices that speak version 1: the packets of IotCenter 1, so that its sketches keep working."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import msgpack
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from iotcenter.interfaces import Attachment, Refused
from iotcenter.listening import plain_address
from iotcenter.model import LogLevel, LogLine, Message
from iotcenter.wire.codec import decode
from iotcenter.wire.errors import WireError
from iotcenter.wire.messages import Ack, Busy, Command, Log, Report, Result, ResultState
from iotcenter.wire.udp.endpoint import Refusal
from iotcenter.wire.udp.events import Address
from iotcenter.wire.udp.numbers import Numbers
from iotcenter.wire.udp.records import LARGEST_DATAGRAM
from iotcenter.wire.udp.version1 import (
    HEARTBEAT,
    LAST_COUNTER,
    Packet,
    PacketType,
    Payload,
    answer_to,
    command_text,
    derived_key,
    device_of,
    is_authentic,
    open_packet,
    parse_payload,
)

if TYPE_CHECKING:
    from iotcenter.identity.udp_keys import UdpKey
    from iotcenter.transports.udp import Datagrams

FIRST_BYTE = b"I"

REPEATED_WITHIN = 60.0
"""Seconds within which the same payload with a ``mid`` is a repetition: its acknowledgement was lost."""

MOST_TAKEN_IN = 1000
"""Devices of an old installation that one run of the server takes in by the master key."""

PATIENCE = (300.0, 86400.0)
"""Seconds of silence after which a device counts as gone: three times its last pause, within these. It says nothing of
its rhythm, and its heartbeats prove nothing."""

WARN_EVERY = 3600.0
"""Seconds between two lines in a device's log about packets that are refused."""

UNANSWERED = "sent; version 1 cannot say what became of it"
DOWNGRADE = (
    "Refused a packet of version 1 of encrypted UDP: the device has proven version 2, or was added for it. Somebody may"
    " be trying to pass for it. If it was moved back: iotcenter device allow-v1 NAME"
)


class Version1:
    """Judges packets, and has a link for each device that sent good ones. ``on`` is what the configuration says."""

    def __init__(self, datagrams: Datagrams, on: bool) -> None:
        self.refused: Counter[Refusal] = Counter()
        self._datagrams = datagrams
        self._house = datagrams.house
        self._udp = datagrams.house.accounts.udp
        self._on = on
        self._links: dict[bytes, Version1Link] = {}
        self._warned: dict[bytes, float] = {}
        self._taking_in: set[bytes] = set()
        self._taken_in = 0

    def received(self, datagram: bytes, address: Address) -> None:
        """A packet came."""
        if datagram == HEARTBEAT:
            return
        device = device_of(datagram) if self._on and len(datagram) <= LARGEST_DATAGRAM else None
        if device is None:
            self.refused[Refusal.MALFORMED] += 1
            return
        entry = self._udp.find(device)
        if entry is None:
            self._stranger(device, datagram, address)
        elif not is_authentic(datagram, entry.key):
            self.refused[Refusal.NOT_AUTHENTIC] += 1
        elif not entry.version1:
            self._downgraded(device, entry)
        else:
            self._authentic(device, entry, datagram, address)

    def look(self, now: float) -> None:
        """See who is silent for too long."""
        for link in tuple(self._links.values()):
            link.look(now)

    def stop(self) -> None:
        """End all links."""
        for link in tuple(self._links.values()):
            link.end("the server stops")
        self._links.clear()

    def forget(self, device: bytes) -> None:
        """A link has ended."""
        self._links.pop(device, None)

    def _authentic(self, device: bytes, entry: UdpKey, datagram: bytes, address: Address) -> None:
        try:
            packet = open_packet(datagram, entry.key)
            if packet.counter > LAST_COUNTER:
                raise WireError("its counter is out of bounds")
            if entry.received is not None and packet.counter <= entry.received:
                self.refused[Refusal.STALE] += 1
                return
            payload = parse_payload(packet.text)
        except WireError as error:
            self._datagrams.complain(str(address[0]), str(error))
            return
        counting = self._udp.counted(entry, packet.counter)
        sent = entry.sent
        counting.addCallbacks(lambda _: self._use(device, entry, packet, payload, sent, address), self._not_counted)
        counting.addErrback(lambda failure: self._house.log.failure("A packet of version 1 failed", failure))

    def _use(self, device: bytes, entry: UdpKey, packet: Packet, payload: Payload, sent: int, address: Address) -> None:
        """The counters are on disk: now the payload counts."""
        if self._udp.find(device) is not entry:
            return
        link = self._links.get(device)
        if link is None:
            link = self._links[device] = Version1Link(self, self._datagrams, device, entry)
        link.take(packet, payload, sent, address)

    def _not_counted(self, failure: Failure) -> None:
        self._datagrams.complain("udp", f"a packet of version 1 was left: {failure.getErrorMessage()}")

    def _downgraded(self, device: bytes, entry: UdpKey) -> None:
        self.refused[Refusal.STALE] += 1
        now = self._datagrams.now()
        if now - self._warned.get(device, float("-inf")) >= WARN_EVERY:
            self._warned[device] = now
            self._house.center.note(entry.device, DOWNGRADE)
            self._house.log.warn("{device}: refused a packet of version 1: it uses version 2", device=entry.device)

    def _stranger(self, device: bytes, datagram: bytes, address: Address) -> None:
        """Nobody knows the device: let it in where its key comes of the master key."""
        key = None if self._udp.master is None else derived_key(self._udp.master, device)
        if key is None or not is_authentic(datagram, key):
            self.refused[Refusal.UNKNOWN_DEVICE] += 1
        elif device not in self._taking_in and self._taken_in < MOST_TAKEN_IN:
            self._taking_in.add(device)
            self._taken_in += 1
            taking = Deferred.fromCoroutine(self._take_in(device, key, datagram, address))
            taking.addErrback(lambda failure: self._house.log.failure("A device was not taken in", failure))

    async def _take_in(self, device: bytes, key: bytes, datagram: bytes, address: Address) -> None:
        try:
            await self._house.accounts.take_in(device.hex(), key)
        except Refused as refusal:
            self.refused[Refusal.UNKNOWN_DEVICE] += 1
            self._datagrams.complain(str(address[0]), f"a device of version 1: {refusal}")
        else:
            self.received(datagram, address)
        finally:
            self._taking_in.discard(device)


class Version1Link:
    """One device's link: each good packet shows that it is there, and where."""

    transport = "udp"
    heartbeat = 0.0

    def __init__(self, version1: Version1, datagrams: Datagrams, device: bytes, entry: UdpKey) -> None:
        self._version1 = version1
        self._datagrams = datagrams
        self._house = datagrams.house
        self._device = device
        self._entry = entry
        self._attachment: Attachment | None = None
        self._where: Address = ("", 0)
        self._newest = -1
        self._heard = datagrams.now()
        self._patience = PATIENCE[0]
        self._numbers = Numbers(random.random)
        self._last: tuple[bytes, float] = (b"", 0.0)
        self._answers: dict[int, Callable[[], None]] = {}
        self._unwatch = self._house.accounts.watch(entry.device, self.end)

    @property
    def address(self) -> str:
        """Where the device's packets come from."""
        return plain_address(str(self._where[0]))

    def take(self, packet: Packet, payload: Payload, sent: int, address: Address) -> None:
        """A packet whose counter is on disk."""
        now = self._datagrams.now()
        self._patience = min(max(3 * (now - self._heard), PATIENCE[0]), PATIENCE[1])
        self._heard = now
        if packet.counter > self._newest:
            self._newest, self._where = packet.counter, address
        answer = partial(self._send, answer_to(payload), sent, packet.counter)
        try:
            if self._attachment is None:
                self._attachment = self._house.center.attach(self._entry.device, self, None)
                self._attachment.takes_any_command()
            self._give(packet, payload, answer, now)
        except (WireError, Refused) as error:
            self._last = (b"", 0.0)
            self._datagrams.complain(self.address, str(error))

    def send(self, message: Message) -> None:
        """See ``iotcenter.interfaces.Link``."""
        if isinstance(message, Ack):
            for sequence in [one for one in self._answers if one < message.sequence + message.count]:
                self._answers.pop(sequence)()
        elif isinstance(message, Busy):
            self._answers.pop(message.sequence, None)
            self._last = (b"", 0.0)
        elif isinstance(message, Command):
            self._command(message)

    def close(self, code: str, reason: str) -> None:
        """See ``iotcenter.interfaces.Link``. Version 1 has no word for it."""
        self.end(reason)

    def look(self, now: float) -> None:
        """See whether the device should have been heard of."""
        if now - self._heard > self._patience:
            self.end(f"no packet for {now - self._heard:.0f} s")

    def end(self, reason: str) -> None:
        """The link is no more."""
        self._version1.forget(self._device)
        self._unwatch()
        attachment, self._attachment = self._attachment, None
        if attachment is not None:
            attachment.detached(reason)

    def _give(self, packet: Packet, payload: Payload, answer: Callable[[], None], now: float) -> None:
        """Hand a payload to the center; it is answered once its values are on disk."""
        repeated = payload.mid is not None and self._last[0] == packet.text and now - self._last[1] < REPEATED_WITHIN
        self._last = (packet.text, now)
        assert self._attachment is not None
        if payload.log and not repeated:
            self._attachment.received(Log((LogLine(0.0, LogLevel.INFO, payload.log[:4096]),)))
        if not payload.values or repeated:
            answer()
            return
        boot, sequence = self._numbers(len(payload.values))
        report = _report(boot, sequence, payload.values)
        self._answers[sequence] = answer
        self._attachment.received(report)

    def _command(self, command: Command) -> None:
        """Give a command, once its counter is on disk."""
        counting = self._house.accounts.udp.counted(self._entry, self._entry.received)
        text, sent = command_text(command.name, command.args), self._entry.sent

        def go(_: object) -> None:
            self._send(text, sent, max(self._newest, 0))
            if self._attachment is not None:
                self._attachment.received(Result(command.id, ResultState.DONE, UNANSWERED))

        counting.addCallback(go).addErrback(
            lambda failure: self._datagrams.complain(self.address, f"not sent: {failure.getErrorMessage()}")
        )

    def _send(self, text: bytes, sent: int, answers: int) -> None:
        packet = Packet(PacketType.FROM_SERVER, self._device, sent, answers, text)
        datagram = packet.datagram(self._entry.key)
        if len(datagram) <= LARGEST_DATAGRAM:
            self._datagrams.send(datagram, self._where)


def _report(boot: int, sequence: int, values: dict[str, Any]) -> Any:
    """Values as the message that they are over any other transport. Raises ``WireError``."""
    readings = [[name, value] for name, value in values.items()]
    try:
        packed = msgpack.encode([Report.__struct_config__.tag, boot, sequence, readings])
    except (OverflowError, RecursionError) as error:
        raise WireError(f"a value is out of bounds: {error}") from None
    return decode(packed)
