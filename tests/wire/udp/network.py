"""Two ends and a network between them, on a clock that a test turns: it loses, doubles, reorders, and moves ports."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import count
from random import Random
from typing import Any, NamedTuple

import msgspec

from iotcenter.wire.messages import Ack, Command, Report, Result
from iotcenter.wire.udp.content import Kind
from iotcenter.wire.udp.device import Answered, Arrived, Connected, DeviceSession, Event, Settings, Unreachable
from iotcenter.wire.udp.endpoint import Arrival, Endpoint
from iotcenter.wire.udp.events import Address, Delivered, Listening, Received
from iotcenter.wire.udp.handshake import Flag
from iotcenter.wire.udp.keys import DeviceKeys
from iotcenter.wire.udp.server import ServerSession

UNIX = 1_800_000_000.0
"""Where the wall clock stands when the steady one is at 0."""

COMMIT = 0.01
"""Seconds until a report is on disk."""


class Weather(NamedTuple):
    """How bad the network is: shares of datagrams, and after how many datagrams a device's port moves (0: never)."""

    loss: float = 0.0
    doubled: float = 0.0
    delay: float = 0.02
    spread: float = 0.0
    port_moves_after: int = 0


class World:
    """A server, devices and what is between them. ``run`` goes on until nothing is left to happen, or time is over."""

    def __init__(self, seed: int = 1, weather: Weather | None = None) -> None:
        self.random = Random(seed)
        self.weather = weather or Weather()
        self.now = 0.0
        self.keys: dict[bytes, DeviceKeys] = {}
        self.devices: list[TestDevice] = []
        self.by_address: dict[Address, TestDevice] = {}
        self.server = TestServer(self)
        self.sent = 0
        self._queue: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()

    def wall(self) -> float:
        """The time in Unix seconds."""
        return UNIX + self.now

    def at(self, time: float, what: Callable[[], object]) -> None:
        """Let something happen."""
        heapq.heappush(self._queue, (max(time, self.now), next(self._order), what))

    def carry(self, deliver: Callable[[bytes], object], datagram: bytes) -> None:
        """Bring a datagram there, if the network is in the mood."""
        self.sent += 1
        copies = 0 if self.random.random() < self.weather.loss else 1
        copies += self.random.random() < self.weather.doubled
        for _ in range(copies):
            delay = self.weather.delay + self.weather.spread * self.random.random()
            self.at(self.now + delay, lambda: deliver(datagram))

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Turn the clock."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end and not until():
            self.now, _, what = heapq.heappop(self._queue)
            what()
        if not until():
            self.now = end

    def add(self, flags: int = 0, max_rx: int = 1200) -> TestDevice:
        """A device with a key of its own."""
        id = self.random.randbytes(16)
        self.keys[id] = DeviceKeys(self.random.randbytes(32))
        device = TestDevice(self, Settings(id, Flag(flags), max_rx))
        self.devices.append(device)
        device.do(lambda: device.session.connect(self.now))
        return device


class TestServer:
    """An endpoint that stores reports in memory, and gives commands."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.stored: Counter[tuple[bytes, int, int]] = Counter()
        self.repeated = 0
        self.results: list[tuple[bytes, Result]] = []
        self.messages: list[Any] = []
        self.delivered: list[tuple[bytes, int]] = []
        self.events: list[Any] = []
        self.begun = 0
        self.replies: list[tuple[bytes, Address]] = []
        self.backlog: dict[bytes, list[Command]] = {}
        self.storing = True
        self.start()

    def start(self) -> None:
        """Start, or start anew: nothing of the sessions is kept, but where they were."""
        former = getattr(self, "endpoint", None)
        random = self.world.random
        self.endpoint = Endpoint(lambda id: self.world.keys.get(id), self.world.wall, random.random, random.randbytes)
        for cid, session in former.sessions.items() if former is not None else ():
            self.endpoint.remember(session.device, cid, session.address)

    def receive(self, datagram: bytes, address: Address) -> Arrival | None:
        """A datagram came."""
        arrival = self.endpoint.receive(datagram, address, self.world.now)
        reports, self.endpoint.reports = self.endpoint.reports, []
        for session, report, _ in reports:
            arrival = Arrival(session, [Received(report)])
        if arrival is not None:
            self.begun += arrival.begun
            self.handle(arrival.session, arrival.events)
            self.flush(arrival.session)
        answers, self.endpoint.answers = self.endpoint.answers, []
        for answer, where in answers:
            self.send(answer, where)
        return arrival

    def handle(self, session: ServerSession, events: list[Any]) -> None:
        """What a session brought."""
        for event in events:
            self.events.append(event)
            if isinstance(event, Received):
                self.received(session, event.message)
            elif isinstance(event, Delivered):
                self.delivered.append((session.device, event.command))
            elif isinstance(event, Listening):
                self.feed(session)

    def received(self, session: ServerSession, message: Any) -> None:
        """A device said something."""
        self.messages.append(message)
        if isinstance(message, Report) and self.storing:
            self.world.at(self.world.now + COMMIT, lambda: self.store(session, message))
        elif isinstance(message, Result):
            self.results.append((session.device, message))

    def store(self, session: ServerSession, report: Report) -> None:
        """The report is on disk."""
        for offset in range(len(report.readings)):
            key = session.device, report.boot, report.sequence + offset
            self.repeated += key in self.stored
            self.stored[key] = 1
        session.send(Ack(report.boot, report.sequence, len(report.readings)), self.world.now)
        if session.sleepy and session.answering:
            self.feed(session)
        self.flush(session)

    def feed(self, session: ServerSession) -> None:
        """A sleeper is about to listen: send what waits for it."""
        for command in self.backlog.pop(session.device, []):
            session.send(command, self.world.now)

    def command(self, device: bytes, command: Command) -> None:
        """Give a command to a device that has a session."""
        session = self.endpoint.session_of(device)
        assert session is not None
        session.send(command, self.world.now)
        self.flush(session)

    def flush(self, session: ServerSession) -> None:
        """Send what is to be sent, and look again when it is time."""
        for datagram in session.datagrams(self.world.now):
            self.send(datagram, session.address)
        due = session.timer()
        if due is not None:
            self.world.at(due, lambda: self.tick(session, due))

    def tick(self, session: ServerSession, due: float) -> None:
        """A timer came."""
        if session.timer() == due:
            self.handle(session, session.tick(self.world.now))
            self.flush(session)

    def send(self, datagram: bytes, address: Address) -> None:
        """Send a datagram; nobody is at an address that a device has left."""
        self.replies.append((datagram, address))
        device = self.world.by_address.get(address)
        if device is not None:
            self.world.carry(device.receive, datagram)


class TestDevice:
    """A device: its session, the ports that it has had, and what the server told it."""

    def __init__(self, world: World, settings: Settings) -> None:
        self.world = world
        self.settings = settings
        self.id = settings.device
        nonce = iter(lambda: world.random.randbytes(16), b"")
        self.session = DeviceSession(settings, world.keys[self.id], lambda: next(nonce), world.random.random)
        self.address: Address = ()
        self.captured: list[tuple[bytes, Address]] = []
        self.answered: list[Any] = []
        self.events: list[Event] = []
        self.connections = 0
        self.commands: list[tuple[Any, ...]] = []
        self.effects: Counter[int] = Counter()
        self.rebind()

    def rebind(self) -> None:
        """A NAT gives it another port."""
        self.world.by_address.pop(self.address, None)
        self.address = ("10.0.0.1", len(self.world.by_address) + self.world.random.randrange(10_000, 60_000))
        self.world.by_address[self.address] = self

    def report(self, sequence: int, count: int = 1, boot: int = 1) -> None:
        """Send readings."""
        readings = [["t", sequence + 0.5]] * count
        body = msgspec.msgpack.encode([boot, sequence, readings])
        self.do(lambda: self.session.put(Kind.REPORT, body, ("report", sequence)))

    def do(self, what: Callable[[], object]) -> None:
        """Do something with the session, and send what comes of it."""
        what()
        self.flush()

    def receive(self, datagram: bytes) -> None:
        """A datagram came."""
        for event in self.session.receive(datagram, self.world.now):
            self.handle(event)
        self.flush()

    def handle(self, event: Event) -> None:
        """Something happened."""
        self.events.append(event)
        self.connections += isinstance(event, Connected)
        if isinstance(event, Answered):
            self.answered.append(event.token)
        elif isinstance(event, Unreachable):
            self.world.at(self.world.now + 1, lambda: self.do(lambda: self.session.connect(self.world.now)))
        elif isinstance(event, Arrived) and event.kind == Kind.COMMAND:
            self.run(event)

    def run(self, event: Arrived) -> None:
        """A command: it takes effect once, and its result is sent each time."""
        id, name, arguments = msgspec.msgpack.decode(event.body)
        self.commands.append((id, name, arguments))
        self.effects[id] += not self.effects[id]
        self.session.put(Kind.RESULT, msgspec.msgpack.encode([id, "done", "ok"]), ("result", id))

    def flush(self) -> None:
        """Send what is to be sent, and look again when it is time."""
        for datagram in self.session.datagrams(self.world.now):
            moves = self.world.weather.port_moves_after
            if moves and len(self.captured) % moves == moves - 1:
                self.rebind()
            self.captured.append((datagram, self.address))
            self.world.carry(partial(self.world.server.receive, address=self.address), datagram)
        due = self.session.timer()
        if due is not None:
            self.world.at(due, lambda: self.tick(due))

    def tick(self, due: float) -> None:
        """A timer came."""
        if self.session.timer() == due:
            for event in self.session.tick(self.world.now):
                self.handle(event)
            self.flush()
