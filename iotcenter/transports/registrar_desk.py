"""What the registrar answers to each packet, whatever way it came."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from iotcenter.identity.registrations import CodedRefusal, Registrations
from iotcenter.interfaces import House, Refused
from iotcenter.storage.errors import StorageError
from iotcenter.transports.registrar_log import RegistrarLog
from iotcenter.transports.registrar_sessions import NotStored, Sender, Sessions
from iotcenter.wire.errors import WireError
from iotcenter.wire.registrar.codec import decode, digest_of, encode, written_time
from iotcenter.wire.registrar.packets import (
    Ack,
    Code,
    Data,
    Deregister,
    Found,
    Login,
    Logoff,
    Packet,
    Query,
    Register,
    Status,
)
from iotcenter.wire.registrar.values import readings_of

Answer = tuple[str, Packet | None]
"""The code for the log, and the packet to send where it is another than an ACK with that code."""


class Desk:
    """Takes packets, one by one from each sender, and says what to send back.

    Each leaves a line: in the activity log when it was handled, in the error log when it was refused or is none.
    """

    def __init__(self, house: House, registrations: Registrations, open_to_all: bool) -> None:
        self.sessions = Sessions(house)
        self.log = RegistrarLog(house)
        self._house = house
        self._registrations = registrations
        self._open_to_all = open_to_all
        self._handlers: dict[type[Packet], Callable[[Any, Sender], Awaitable[Answer]]] = {
            Register: self._register,
            Deregister: self._deregister,
            Login: self._log_in,
            Logoff: self._log_off,
            Status: self._status,
            Data: self._data,
            Query: self._query,
        }

    async def answer(self, data: bytes, sender: Sender) -> bytes | None:
        """The answer to the packet ``data``; None for one that gets none.

        Raises ``WireError``, which the log has already, where ``data`` is no packet.
        """
        try:
            packet = decode(data)
        except WireError as error:
            self.log.complain(sender, str(error))
            raise
        handler = self._handlers.get(type(packet))
        if handler is None:
            self.log.note(sender, packet, getattr(packet, "code", ""))
            return None
        try:
            code, reply = await handler(packet, sender)
        except CodedRefusal as refusal:
            code, reply = refusal.code, None
            self.log.complain(sender, f"{packet.TYPE} of {packet.device_id}, {code}: {refusal}")
        except Refused as refusal:
            code, reply = Code.REFUSED, None
            self.log.complain(sender, f"{packet.TYPE} of {packet.device_id}, {code}: {refusal}")
        except (NotStored, StorageError) as error:
            self.log.complain(sender, f"{packet.TYPE} of {packet.device_id} is not answered: {error}")
            return None
        self.log.note(sender, packet, code)
        return encode(reply or Ack(packet.device_id, code, self._now(), digest_of(data)))

    async def _register(self, packet: Register, sender: Sender) -> Answer:
        return await self._registrations.register(packet, sender.host, self._open_to_all), None

    async def _deregister(self, packet: Deregister, sender: Sender) -> Answer:
        code = await self._registrations.deregister(packet, sender.host)
        if code is Code.DEREGISTERED:
            self.sessions.end(packet.device_id, "it deregistered")
        return code, None

    async def _log_in(self, packet: Login, sender: Sender) -> Answer:
        device = await self._registrations.log_in(packet, sender.host)
        host = f"[{packet.ip}]" if ":" in packet.ip else packet.ip
        self.sessions.begin(packet.device_id, device, sender, f"{host}:{packet.port}")
        return Code.LOGGED_IN, None

    async def _log_off(self, packet: Logoff, sender: Sender) -> Answer:
        self.sessions.of(packet.device_id, sender).end("it logged off")
        return Code.LOGGED_OFF, None

    async def _status(self, packet: Status, sender: Sender) -> Answer:
        self.sessions.alive(packet.device_id, sender)
        return Code.ALIVE, None

    async def _data(self, packet: Data, sender: Sender) -> Answer:
        session = self.sessions.of(packet.device_id, sender)
        readings = readings_of(packet.message)
        if readings:
            await session.report(readings)
        else:
            session.note(packet.message)
        return Code.STORED, None

    async def _query(self, packet: Query, sender: Sender) -> Answer:
        self.sessions.of(packet.device_id, sender)
        target = await self._registrations.find(packet.target)
        if target is None:
            found, message = Found.UNKNOWN, packet.target
        elif packet.target in self.sessions:
            found, message = Found.HERE, f"{target.ip}\t{target.port}"
        else:
            found, message = Found.AWAY, packet.target
        return found, Data(packet.device_id, found, self._now(), message)

    def _now(self) -> str:
        return written_time(self._house.clock.seconds())
