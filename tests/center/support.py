"""A center on a real database, with links that a test holds in its hand and a clock that it turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from iotcenter.center.center import Center
from iotcenter.center.links import DeviceLink
from iotcenter.center.subscribers import Event
from iotcenter.identity.accounts import Accounts
from iotcenter.identity.authority import Authority
from iotcenter.model import Argument, ArgumentType, CommandOffer, Message, Reading, Series
from iotcenter.storage.store import Store
from iotcenter.wire.messages import Hello, Report

T = TypeVar("T")
E = TypeVar("E")

NOW = 1_795_305_600.0
"""When the tests take place."""

RELAY = CommandOffer(
    "relay",
    arguments=(
        Argument("on", ArgumentType.BOOLEAN),
        Argument("seconds", ArgumentType.INTEGER, required=False, default=0, maximum=60),
    ),
)
UNLOCK = CommandOffer("unlock", arguments=(Argument("code", ArgumentType.SECRET),))
HELLO = Hello(
    agent="test/1",
    boot=1,
    series=(Series("temperature", unit="Cel", every=10.0), Series("door")),
    commands=(RELAY, UNLOCK),
)


class TestLink:
    """A link whose messages a test looks at."""

    transport = "tls"
    address = "192.0.2.7"
    heartbeat = 10.0

    def __init__(self) -> None:
        from twisted.internet import reactor

        self._reactor: Any = reactor
        self.sent: list[Message] = []
        self.closed: tuple[str, str] | None = None
        self._waiting: list[tuple[type, Deferred[Any]]] = []

    def send(self, message: Message) -> None:
        """Keep ``message``."""
        self.sent.append(message)
        for kind, waiter in tuple(self._waiting):
            if isinstance(message, kind):
                self._waiting.remove((kind, waiter))
                self._reactor.callLater(0, waiter.callback, message)  # in a turn of its own, as over a network

    def close(self, code: str, reason: str) -> None:
        """Remember why."""
        self.closed = (code, reason)

    def of(self, kind: type[E]) -> list[E]:
        """What was sent of one kind."""
        return [message for message in self.sent if isinstance(message, kind)]

    def next(self, kind: type[E]) -> Deferred[E]:
        """The next message of one kind."""
        waiter: Deferred[E] = Deferred()
        self._waiting.append((kind, waiter))
        return waiter


class CenterTestCase(TestCase):
    """Has a center with one enrolled device, ``kitchen-pi``."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Open everything."""
        from twisted.internet import reactor

        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.clock = Clock()
        self.clock.advance(NOW)
        self.store = Store(self.directory, reactor)
        self.store.open()
        self.authority = Authority.open(self.directory, self.clock.seconds)
        await self.open_center()
        self.device = (await self.accounts.add("kitchen-pi", "tls", "ann")).id

    async def open_center(self) -> None:
        """A center that takes up what is kept."""
        self.accounts = Accounts(self.store, self.authority, self.clock.seconds)
        await self.accounts.load()
        self.center = Center(self.store, self.accounts, self.clock)
        await self.center.load()
        self.center.start()
        self.events: list[Event] = []
        self.center.subscribers.subscribe(self.events.append)

    async def tearDown(self) -> None:  # type: ignore[override]
        """Close everything."""
        self.center.stop()
        await self.store.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def join(self, hello: Hello = HELLO) -> tuple[TestLink, DeviceLink]:
        """``kitchen-pi`` comes in."""
        link = TestLink()
        return link, self.center.attach(self.device, link, hello)

    def next_event(self, kind: type[E]) -> Deferred[E]:
        """The next event of one kind."""
        waiter: Deferred[E] = Deferred()

        def tell(event: Event) -> None:
            if isinstance(event, kind):
                end()
                waiter.callback(event)

        end = self.center.subscribers.subscribe(tell)
        return waiter

    def told(self, kind: type[E]) -> list[E]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]


def report(sequence: int, *values: Any, boot: int = 1, name: str = "temperature", time: float = NOW) -> Report:
    """A report with ``values`` a second apart."""
    readings = tuple(Reading(name, value, time + index) for index, value in enumerate(values))
    return Report(boot, sequence, readings)
