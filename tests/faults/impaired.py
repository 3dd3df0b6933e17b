"""A way between devices and a server that loses, doubles and delays datagrams, and gives devices other ports."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from twisted.internet.protocol import DatagramProtocol


class Impairment(NamedTuple):
    """Shares of datagrams that are lost and doubled, the longest delay in seconds, and after how many datagrams a
    device's port moves (0: never). What is delayed differently comes in another order."""

    loss: float
    doubled: float
    delay: float
    port_moves_after: int = 0


class _Plug(DatagramProtocol):
    """One end of the way. ``got`` takes what comes in there."""

    noisy = False

    def __init__(self, got: Any) -> None:
        self._got = got

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """Something came."""
        self._got(datagram, addr)


class ImpairedWay:
    """Devices send to the port that ``open`` gives; the server sees a port for each of them, which moves."""

    def __init__(self, reactor: Any, server: tuple[str, int], impairment: Impairment, seed: int = 1) -> None:
        self.lost = self.carried = 0
        self._reactor = reactor
        self._server = server
        self._impairment = impairment
        self._random = Random(seed)
        self._front: Any = None
        self._ways: dict[tuple[str, int], Any] = {}
        self._old: list[Any] = []
        self._since: dict[tuple[str, int], int] = {}
        self._calls: set[Any] = set()

    def open(self) -> int:
        """Open it; the answer is the port for devices."""
        self._front = self._reactor.listenUDP(0, _Plug(self._from_device), "127.0.0.1")
        return int(self._front.getHost().port)

    async def close(self) -> None:
        """Close it."""
        for call in tuple(self._calls):
            if call.active():
                call.cancel()
        for port in (self._front, *self._ways.values(), *self._old):
            await port.stopListening()

    def _from_device(self, datagram: bytes, device: tuple[str, int]) -> None:
        self._since[device] = self._since.get(device, -1) + 1
        moves = self._impairment.port_moves_after
        if device not in self._ways or (moves and self._since[device] % moves == moves - 1):
            if device in self._ways:
                self._old.append(self._ways[device])
            plug = _Plug(lambda data, _: self._carry(lambda: self._front.write(data, device)))
            self._ways[device] = self._reactor.listenUDP(0, plug, "127.0.0.1")
        way = self._ways[device]
        self._carry(lambda: way.write(datagram, self._server))

    def _carry(self, deliver: Any) -> None:
        chance, impairment = self._random.random(), self._impairment
        self.carried += 1
        copies = 0 if chance < impairment.loss else 1
        self.lost += copies == 0
        copies += self._random.random() < impairment.doubled
        for _ in range(copies):
            self._later(self._random.random() * impairment.delay, deliver)

    def _later(self, delay: float, deliver: Any) -> None:
        def go() -> None:
            self._calls.discard(call)
            deliver()

        call = self._reactor.callLater(delay, go)
        self._calls.add(call)
