"""The streams of events, before readers and a clock that the test has in its hand."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.subscribers import Event, RemovedEvent
from iotcenter.model import Role
from iotcenter.web import streams
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.frames import frames_of
from iotcenter.web.principal import Principal, Via
from iotcenter.web.streams import (
    CHECK_EVERY,
    KEEP_ALIVE_EVERY,
    MAX_PER_PRINCIPAL,
    MAX_PER_SOURCE,
    MAX_QUEUE,
    MAX_STREAMS,
    PATIENCE,
    PIECE,
    Streams,
)

SOMEBODY = Principal("ann", Role.VIEWER, Via.SESSION, key="1")


class Channel:
    """The part of a channel that a stream uses; it fills up after ``room`` bytes."""

    def __init__(self) -> None:
        self.producer: Any = None
        self.dropped = False

    def drop(self) -> None:
        """See ``BoundedChannel``."""
        self.dropped = True


class FakeRequest:
    """A reader that takes as much as it is told to."""

    def __init__(self, host: str = "192.0.2.1", room: int = 2**40) -> None:
        self.channel = Channel()
        self.host = host
        self.room = room
        self.written = b""
        self.producer: Any = None

    def getClientAddress(self) -> IPv4Address:
        """See ``Request``."""
        return IPv4Address("TCP", self.host, 50000)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """See ``Request``."""
        assert streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        """See ``Request``."""
        self.producer = None

    def write(self, data: bytes) -> None:
        """See ``Request``."""
        self.written += data
        self.room -= len(data)
        if self.room <= 0:
            self.producer.pauseProducing()

    def take(self, room: int = 2**40) -> None:
        """Take all, and make room for more."""
        self.room = room
        self.producer.resumeProducing()

    def names(self) -> list[str]:
        """The names of the events that were written."""
        return [line[7:] for line in self.written.decode().splitlines() if line.startswith("event: ")]


class Everything:
    """A center of nothing but events and a snapshot of a given size."""

    def __init__(self, size: int = 10) -> None:
        self.subscribers: list[Any] = []
        self.size = size
        self.snapshots = 0

    def subscribe(self, subscriber: Any) -> Any:
        """See ``Subscribers``."""
        self.subscribers.append(subscriber)
        return lambda: self.subscribers.remove(subscriber)

    def all(self) -> Any:
        """See ``Devices``."""
        self.snapshots += 1
        return ["x" * self.size]

    def publish(self, event: Event) -> None:
        """Tell whoever listens."""
        for subscriber in self.subscribers:
            subscriber(event)


class StreamTestCase(SynchronousTestCase):
    """Has streams before a center that is all in the test's hand."""

    def setUp(self) -> None:
        """Make them."""
        self.clock = Clock()
        self.center: Any = Everything()
        self.streams = Streams(self.clock, cast(Any, self.center), cast(Any, self.center), "build")
        self.principal: Principal | None = SOMEBODY

    def open(self, request: FakeRequest, principal: Principal = SOMEBODY, packed: bool = False) -> Deferred[None]:
        """A stream to ``request``; fires when it has ended."""

        async def check() -> Principal | None:
            return self.principal

        reader: Any = request
        return Deferred.fromCoroutine(self.streams.serve(reader, principal, check, packed))


class LifeTests(StreamTestCase):
    """How streams begin and end."""

    def test_snapshot_first(self) -> None:
        """A stream begins with all there is, and goes on with what changes."""
        request = FakeRequest()
        self.open(request)
        self.center.publish(RemovedEvent("attic"))
        self.assertEqual(request.names(), ["snapshot", "removed"])
        self.assertIn(b'data: {"build":"build","devices":["xxxxxxxxxx"]}\n\n', request.written)

    def test_encoded_once(self) -> None:
        """An event, and a snapshot for many at once, is encoded once for all."""
        encoded: list[Event] = []

        def count(event: Event) -> bytes:
            encoded.append(event)
            return frames_of(event)

        self.patch(streams, "frames_of", count)
        requests = [FakeRequest(f"192.0.2.{number}") for number in range(10)]
        for request in requests:
            self.open(request)
        self.center.publish(RemovedEvent("attic"))
        self.assertEqual((self.center.snapshots, len(encoded)), (1, 1))
        self.assertEqual(len({request.written for request in requests}), 1)

    def test_listens_while_needed(self) -> None:
        """The center is listened to, and the clock used, only while there are streams."""
        first, second = self.open(FakeRequest()), self.open(FakeRequest())
        self.assertEqual(len(self.center.subscribers), 1)
        first.addErrback(lambda _: None).cancel()
        self.assertEqual(len(self.center.subscribers), 1)
        self.streams.stop()
        self.successResultOf(second)
        self.assertEqual((self.center.subscribers, self.clock.getDelayedCalls(), len(self.streams)), ([], [], 0))

    def test_keep_alive(self) -> None:
        """A silent stream shows that it lives."""
        request = FakeRequest()
        self.open(request)
        before = request.written
        self.clock.advance(KEEP_ALIVE_EVERY)
        self.assertEqual(request.written, before + b":\n\n")

    def test_ended_with_its_session(self) -> None:
        """A stream ends at once with its session, its user or its token, and others go on."""
        other_browser = Principal("ann", Role.VIEWER, Via.SESSION, key="2")
        program = Principal("ann", Role.VIEWER, Via.TOKEN, key="3")
        one, two, three = (self.open(FakeRequest(), who) for who in (SOMEBODY, other_browser, program))
        self.streams.end_session("1")
        self.successResultOf(one)
        self.assertNoResult(two)
        self.streams.end_user("ann")
        self.successResultOf(two)
        self.assertNoResult(three)
        self.streams.end_token("ann")
        self.successResultOf(three)

    def test_checked(self) -> None:
        """A session that ended without a word, or may do something else now, is found out within a minute."""
        for principal in (None, Principal("ann", Role.ADMIN, Via.SESSION, key="1")):
            self.principal = SOMEBODY
            stream = self.open(FakeRequest())
            for _ in range(CHECK_EVERY):
                self.clock.advance(KEEP_ALIVE_EVERY)
            self.assertNoResult(stream)
            self.principal = principal
            for _ in range(CHECK_EVERY):
                self.clock.advance(KEEP_ALIVE_EVERY)
            self.successResultOf(stream)

    def test_bounds(self) -> None:
        """There is an end to the streams of one session, of one source, and of all."""

        def count(host: str, key: str) -> int:
            opened = 0
            while True:
                number = len(self.streams)
                principal = Principal("ann", Role.VIEWER, Via.SESSION, key=key.format(number))
                stream = self.open(FakeRequest(host.format(number)), principal)
                if isinstance(getattr(stream, "result", None), object) and stream.called:
                    problem = self.failureResultOf(stream, HTTPProblem).value
                    self.assertEqual((problem.status, problem.code), (429, "too_many_streams"))
                    return opened
                opened += 1

        self.assertEqual(count("192.0.2.1", "same"), MAX_PER_PRINCIPAL)
        self.assertEqual(count("192.0.2.1", "{}"), MAX_PER_SOURCE - MAX_PER_PRINCIPAL)
        self.assertEqual(count("203.0.113.{}", "{}"), MAX_STREAMS - MAX_PER_SOURCE)
        self.streams.stop()
        self.assertEqual(count("127.0.0.1", "{}"), MAX_STREAMS)


class SlowTests(StreamTestCase):
    """Readers that do not keep up."""

    def test_waits_a_little(self) -> None:
        """What comes while a reader is slow waits for it, and comes in order."""
        request = FakeRequest()
        self.open(request)
        request.producer.pauseProducing()
        for number in range(3):
            self.center.publish(RemovedEvent(f"device-{number}"))
        self.assertEqual(request.names(), ["snapshot"])
        request.take()
        self.assertEqual(request.names(), ["snapshot", "removed", "removed", "removed"])
        self.assertEqual(self.center.snapshots, 1)

    def test_skips_to_the_newest(self) -> None:
        """A reader that stalls for long gets a fresh snapshot when it is back, and nothing of what was before it."""
        request = FakeRequest()
        self.open(request)
        request.producer.pauseProducing()
        for number in range(MAX_QUEUE // 10):
            self.center.publish(RemovedEvent(f"device-{number}"))
        written = len(request.written)
        request.take()
        self.center.publish(RemovedEvent("after"))
        self.assertEqual(request.names(), ["snapshot", "snapshot", "removed"])
        self.assertLess(len(request.written) - written, 200)

    def test_stalled_costs_nothing(self) -> None:
        """However long it stalls, and however large the snapshot is, little is held for a reader."""
        self.center.size = 5_000_000
        request = FakeRequest(room=1)
        self.open(request)
        for _ in range(20_000):
            self.center.publish(RemovedEvent("attic"))
        self.assertLessEqual(len(request.written), PIECE)
        stream = request.producer
        self.assertLessEqual(sum(map(len, stream._queue)), MAX_QUEUE)
        while stream._rest or stream._stale:
            request.take(1)
        self.assertGreater(len(request.written), 5_000_000)

    def test_given_up(self) -> None:
        """A reader that takes nothing for minutes is let go."""
        request = FakeRequest(room=1)
        self.open(request)
        for _ in range(int((PATIENCE - 1) / KEEP_ALIVE_EVERY)):
            self.clock.advance(KEEP_ALIVE_EVERY)
        self.assertFalse(request.channel.dropped)
        for _ in range(2):
            self.clock.advance(KEEP_ALIVE_EVERY)
        self.assertTrue(request.channel.dropped)
