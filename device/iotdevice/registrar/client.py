"""A device's conversation with the center: one question after another, and a heartbeat while it is logged in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock

from iotcenter.wire.registrar.codec import written_time
from iotcenter.wire.registrar.packets import (
    HEARTBEAT,
    HEARTBEAT_CODE,
    WHERE_CODE,
    Code,
    Data,
    Deregister,
    Login,
    Logoff,
    Packet,
    Query,
    Status,
)
from iotdevice.registrar.answers import Answer, BadAnswer, Exchange, Outcome
from iotdevice.registrar.ways import NoAnswer, Way
from iotdevice.timers import Timers


class Client:
    """Asks the center. ``wall`` tells the date; ``trouble`` is told where a heartbeat got no good answer."""

    def __init__(
        self, reactor: Any, wall: Callable[[], float], way: Way, device_id: str, trouble: Callable[[str], None]
    ) -> None:
        self.device_id = device_id
        self.logged_in = False
        self._wall = wall
        self._way = way
        self._trouble = trouble
        self._timers = Timers(reactor)
        self._turn = DeferredLock()

    async def ask(self, packet: Packet) -> Answer:
        """The answer to ``packet``. Raises ``WireError`` for one that cannot be sent, ``NoAnswer`` and
        ``BadAnswer``."""
        exchange = Exchange(packet)
        async with self._turn:
            answer = exchange.answer(await self._way.ask(exchange.sent))
        if answer.outcome is Outcome.DONE and packet.device_id == self.device_id:
            self._follow(packet)
        return answer

    async def send(self, message: str) -> Answer:
        """Send readings, or a line for the device's log."""
        return await self.ask(Data(self.device_id, HEARTBEAT_CODE, self.now(), message))

    async def find(self, target: str) -> Answer:
        """Ask where another device is."""
        return await self.ask(Query(self.device_id, WHERE_CODE, self.now(), target))

    async def live(self) -> Answer:
        """Send a heartbeat."""
        return await self.ask(Status(self.device_id, HEARTBEAT_CODE, self.now(), "heartbeat"))

    async def leave(self) -> Answer | None:
        """Log off, where it is logged in, and send no heartbeat any more."""
        self._timers.close()
        return await self.ask(Logoff(self.device_id)) if self.logged_in else None

    def now(self) -> str:
        """The time as packets have it."""
        return written_time(self._wall())

    def _follow(self, packet: Packet) -> None:
        if isinstance(packet, Login):
            self.logged_in = True
            self._timers.after(HEARTBEAT, self._beat)
        elif isinstance(packet, Logoff | Deregister):
            self.logged_in = False
            self._timers.clear()

    def _beat(self) -> None:
        self._timers.after(HEARTBEAT, self._beat)
        Deferred.fromCoroutine(self._live())

    async def _live(self) -> None:
        try:
            answer = await self.live()
        except (NoAnswer, BadAnswer) as error:
            self._trouble(f"heartbeat: {error}")
            return
        if answer.code != Code.ALIVE:
            self.logged_in = False
            self._timers.clear()
            self._trouble(f"heartbeat: {answer.line()}: log in again")
