"""The event stream."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.subscribers import Event, ReadingsEvent, RemovedEvent
from iotcenter.model import LogLevel, LogLine, Reading, Role
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
from iotcenter.wire.messages import Log
from tests.web.support import Visitor, WebTestCase, Wire, dechunk

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

    def open(self, request: FakeRequest, principal: Principal = SOMEBODY) -> Deferred[None]:
        """A stream to ``request``; fires when it has ended."""

        async def check() -> Principal | None:
            return self.principal

        reader: Any = request
        return Deferred.fromCoroutine(self.streams.serve(reader, principal, check))


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


class EventTests(WebTestCase):
    """Real streams."""

    async def watch(self, visitor: Visitor) -> Wire:
        """A stream that has begun."""
        wire = await self.connect()
        head = "".join(f"{name}: {value}\r\n" for name, value in visitor.headers.items())
        wire.write(f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())
        await wire.until(b"event: snapshot")
        return wire

    async def test_all_kinds(self) -> None:
        """Whatever happens is told, as the API shows it elsewhere."""
        wire = await self.watch(await self.user(Role.VIEWER))
        self.assertIn(b"Content-Type: text/event-stream\r\n", wire.received)
        _, attachment = await self.device()
        await self.report(attachment, Reading("temperature", 21.5, self.reactor.seconds()))
        attachment.received(Log((LogLine(0.0, LogLevel.INFO, "line\r\ndata: x"),)))
        await self.center.commands.send("kitchen-pi", "reboot", {}, "ann")
        await self.center.devices.rename("kitchen-pi", "attic", "ann")
        attachment.detached("gone")
        await self.center.devices.remove("attic", "ann")
        await wire.until(b"event: readings")
        body = dechunk(bytes(wire.received).partition(b"\r\n\r\n")[2]).decode()
        events = [event.split("\n") for event in body.split("\n\n") if event.startswith("event: ")]
        told = {name.removeprefix("event: "): msgspec.json.decode(data.removeprefix("data: ")) for name, data in events}
        self.assertEqual(next(iter(told)), "snapshot")
        self.assertEqual(set(told), {"snapshot", "device", "presence", "log", "command", "removed", "readings"})
        self.assertEqual((told["log"]["device"], told["log"]["text"]), ("kitchen-pi", "line\r\ndata: x"))
        self.assertEqual((told["readings"][0]["series"], told["readings"][0]["value"]), ("temperature", 21.5))
        self.assertEqual(told["command"]["name"], "reboot")
        self.assertEqual(set(told["presence"]), {"device", "state", "reason", "last_seen"})

    async def test_signed_out(self) -> None:
        """A stream ends with its session."""
        viewer = await self.user(Role.VIEWER)
        wire = await self.watch(viewer)
        answer = await self.ask("POST", "/sign-out", viewer, form={})
        self.assertEqual(answer.status, 303)
        await wire.until(b"\r\n0\r\n\r\n")
        self.assertEqual(len(self.parts.streams), 0)

    async def test_removed_user(self) -> None:
        """A stream ends with its user, and with its token."""
        admin = await self.program(Role.ADMIN)
        by_user = await self.watch(await self.user(Role.VIEWER, "ann"))
        by_token = await self.watch(await self.program(Role.VIEWER, "graphs"))
        self.assertEqual((await self.ask("DELETE", "/api/v1/tokens/graphs", admin)).status, 204)
        await by_token.until(b"\r\n0\r\n\r\n")
        self.assertFalse(by_user.received.endswith(b"0\r\n\r\n"))
        self.assertEqual((await self.ask("DELETE", "/api/v1/users/ann", admin)).status, 204)
        await by_user.until(b"\r\n0\r\n\r\n")

    async def test_reader_that_does_not_read(self) -> None:
        """A reader that stalls costs no more than its buffers while events go on, and none after it went."""
        wire = await self.watch(await self.user(Role.VIEWER))
        wire.transport.pauseProducing()  # type: ignore[union-attr]
        for number in range(20_000):
            self.center.subscribers.publish(ReadingsEvent(()))
            self.center.subscribers.publish(RemovedEvent(f"{number:0500d}"))
            if number % 100 == 0:
                await self.store.devices.all()
        self.assertTrue(0 < self.held() < 256 * 1024, self.held())
        await wire.close()
        while len(self.parts.streams):
            await self.store.devices.all()
