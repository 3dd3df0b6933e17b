"""The C core as a device in the tests' network: a virtual clock, any weather, and the real server's end."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

from iotcenter.wire.udp.events import Address
from iotcenter.wire.udp.keys import DeviceKeys
from tests.chips.toolchain import Core
from tests.wire.udp.network import World

NONE = "-"


class Chip:
    """A device that is the C core, or another that takes its commands. It stands where a ``TestDevice`` does."""

    def __init__(
        self, world: World, sleepy: int = 0, packet: int = 192, message: int = 112, core: Core | None = None
    ) -> None:
        self.world = world
        self._clock_begins = 0 if core else 2**32 - 65536  # that of the C core wraps after a minute
        self.core = core or Core()
        self.id, self.key = world.random.randbytes(16), world.random.randbytes(32)
        world.keys[self.id] = DeviceKeys(self.key)
        self.address: Address = ()
        self.asleep = False
        self.sent: list[bytes] = []
        self.states: list[str] = []
        self.effects: Counter[str] = Counter()
        self.commands: list[list[str]] = []
        self.waits: list[int] = []
        self.rebind()
        self._tell("id", self.id)
        self._tell("key", self.key)
        self._start = ("start", sleepy, 1, NONE, packet, message)
        self.start()

    def start(self) -> None:
        """Power on; the boot count stays at 1 for ``start`` to be called once."""
        self._tell("clock", self._milliseconds)
        assert self._tell(*self._start) == [["error", "0"]]
        self.poll()

    def rebind(self) -> None:
        """A NAT gives it another port."""
        self.world.by_address.pop(self.address, None)
        self.address = ("10.0.0.2", len(self.world.by_address) + self.world.random.randrange(10_000, 60_000))
        self.world.by_address[self.address] = self  # type: ignore[assignment]

    def report(self, *readings: tuple[str, str, Any, int]) -> bool:
        """Report readings: series, type, value, age. False while there is no room."""
        if not self.says("report"):
            return False
        for reading in readings or (("t", "f", 21.5, 0),):
            assert self.says("reading", *reading)
        done = self.says("commit")
        self.poll()
        return done

    def says(self, verb: str, *arguments: Any) -> bool:
        """Whether the core agrees to that."""
        self._tell("clock", self._milliseconds)
        return self._tell(verb, *arguments)[-1] == ["said", "1"]

    def status(self) -> dict[str, int]:
        """Busy, listening, time."""
        self._tell("clock", self._milliseconds)
        return {name: int(value) for name, value in self._tell("status")}

    def receive(self, datagram: bytes) -> None:
        """A datagram came."""
        self._tell("clock", self._milliseconds)
        self._tell("receive", datagram)
        self.poll()

    def poll(self) -> None:
        """Let it do what is due, and look again when it says."""
        self._tell("clock", self._milliseconds)
        ((_, wait),) = [line for line in self._tell("poll") if line[0] == "wait"]
        self.waits.append(int(wait))
        self.world.at(self.world.now + int(wait) / 1000, partial(self._wake, len(self.waits)))

    def wake(self, slept: int) -> None:
        """Go on after a deep sleep of so many milliseconds, which the clock of the chip did not count."""
        self.asleep = False
        self._tell("clock", self._milliseconds)
        self._tell("resume", slept)
        self.poll()

    def close(self) -> None:
        """End it, and hear what the sanitizers say."""
        self.core.close()

    @property
    def _milliseconds(self) -> int:
        return (int(self.world.now * 1000) + self._clock_begins) % 2**32

    def _wake(self, polls: int) -> None:
        if len(self.waits) == polls and not self.asleep:
            self.poll()

    def _tell(self, verb: str, *arguments: Any) -> list[list[str]]:
        lines = self.core.tell(verb, *arguments)
        for what, *rest in lines:
            if what == "send":
                self._send(bytes.fromhex(rest[0]))
            elif what == "state":
                self.states.append(rest[0])
            elif what == "command":
                self.commands.append(rest)
                self.effects[rest[0]] += 1
        return lines

    def _send(self, datagram: bytes) -> None:
        moves = self.world.weather.port_moves_after
        self.sent.append(datagram)
        if moves and len(self.sent) % moves == 0:
            self.rebind()
        self.world.carry(partial(self.world.server.receive, address=self.address), datagram)
