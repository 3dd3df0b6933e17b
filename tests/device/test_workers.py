"""Threads for what would hold the reactor, and the small parts beside them."""

from __future__ import annotations

import threading
from threading import Event

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import Clock

from iotcenter.wire.messages import MAX_LINES, Hello, Log
from iotdevice.devicelog import KEPT, PAUSE
from iotdevice.greeter import AT_MOST_EVERY, SOON, Greeter
from iotdevice.timers import Timers
from iotdevice.workers import Workers
from tests.device.support import Bench, Case, FakeChannel, ReactorCase, the_reactor


class WorkersTests(ReactorCase):
    """Threads for what would hold the reactor."""

    def workers(self, limit: int) -> Workers:
        """Some threads."""
        net = the_reactor()
        workers = Workers(net, "test", limit)
        self.addCleanup(lambda: Deferred.fromCoroutine(workers.stop(5.0)))
        return workers

    async def test_result(self) -> None:
        """A function runs in a thread; what it returns or raises comes back on the reactor's."""
        workers, here = self.workers(2), threading.get_ident()
        self.assertNotEqual(await workers.run(threading.get_ident), here)
        self.assertEqual(await workers.run(int, "12", base=8), 10)
        with self.assertRaises(ZeroDivisionError):
            await workers.run(lambda: 1 / 0)
        self.assertEqual(threading.get_ident(), here)

    async def test_exit(self) -> None:
        """sys.exit() in a thread is an error like another."""
        with self.assertRaises(SystemExit):
            await self.workers(1).run(exit, 3)

    async def test_deferred(self) -> None:
        """A plain function that returns a Deferred is told to be async."""
        with self.assertRaises(TypeError):
            await self.workers(1).run(Deferred[None])

    async def test_order(self) -> None:
        """One thread does its jobs in order."""
        workers, done = self.workers(1), list[int]()
        await gatherResults([workers.run(done.append, number) for number in range(50)])
        self.assertEqual(done, list(range(50)))

    async def test_limit(self) -> None:
        """No more threads are made than are needed, and never more than allowed."""
        workers, go = self.workers(3), Event()
        before = threading.active_count()
        jobs = [workers.run(go.wait, 10) for _ in range(2)]
        self.assertEqual(threading.active_count(), before + 2)
        jobs += [workers.run(go.wait, 10) for _ in range(5)]
        self.assertEqual(threading.active_count(), before + 3)
        go.set()
        self.assertEqual(await gatherResults(jobs), [True] * 7)

    async def test_cancel(self) -> None:
        """A job that has not begun can be taken back; one that runs is only not waited for."""
        workers, go, done = self.workers(1), Event(), list[int]()
        running, waiting = workers.run(go.wait, 10), workers.run(done.append, 1)
        for job in (running, waiting):
            job.cancel()
            with self.assertRaises(CancelledError):
                await job
        go.set()
        await workers.run(lambda: None)
        self.assertEqual(done, [])

    async def test_stop(self) -> None:
        """Threads that are stopped do what they were asked to, and end; one that hangs is left behind."""
        workers, done = self.workers(1), list[int]()
        workers.run(done.append, 1)
        before = threading.active_count()
        await workers.stop(5.0)
        self.assertEqual(done, [1])
        self.assertLess(threading.active_count(), before + 1)
        hanging, never = self.workers(1), Event()
        hanging.run(never.wait, 30)
        await hanging.stop(0.05)
        never.set()


class TimersTests(Case):
    """Delayed calls."""

    def test_once(self) -> None:
        """Of each function one call is pending: the first that was asked for, unless it is put off."""
        clock, calls = Clock(), list[float]()
        timers = Timers(clock)

        def note() -> None:
            calls.append(clock.seconds())

        timers.within(1, note)
        timers.within(5, note)
        self.assertTrue(timers.pending(note))
        clock.pump([1] * 6)
        timers.within(1, note)
        timers.after(3, note)
        clock.pump([1] * 6)
        self.assertEqual(calls, [1, 9])

    def test_close(self) -> None:
        """A closed set of timers has none, and takes none."""
        clock = Clock()
        timers = Timers(clock)
        timers.within(1, self.fail)
        timers.close()
        timers.within(1, self.fail)
        self.assertEqual(clock.getDelayedCalls(), [])


class LogTests(Case):
    """The device's log."""

    def setUp(self) -> None:
        self.bench = Bench()
        self.channel = FakeChannel()

    def test_offline(self) -> None:
        """Without a link the newest lines are kept; it is said how many were not, and each line bears its own time."""
        for number in range(KEPT + 7):
            self.bench.log.say(f"line {number}")
            self.bench.steady.advance(1)
        self.bench.log.connected(self.channel)
        self.bench.steady.pump([PAUSE] * 10)
        lines = [line for message in self.channel.of(Log) for line in message.lines]
        self.assertEqual(len(lines), KEPT)
        self.assertEqual(lines[0].text, "(7 older lines were dropped) line 7")
        self.assertEqual(lines[0].time, self.bench.wall + 7)

    def test_flood(self) -> None:
        """A flood of lines goes out at a bounded rate, so that readings get their turn."""
        self.bench.log.connected(self.channel)
        for number in range(KEPT):
            self.bench.log.say(f"line {number}")
        self.assertEqual(len(self.channel.of(Log)), 1)
        self.bench.steady.advance(PAUSE)
        self.assertEqual([len(message.lines) for message in self.channel.of(Log)], [1, MAX_LINES])

    def test_long(self) -> None:
        """A line that is too long is cut, and one that is not Unicode is mended, so that the server takes them."""
        self.bench.log.connected(self.channel)
        self.bench.log.say("x" * 10_000 + "\ud800")
        self.bench.steady.advance(PAUSE)
        self.bench.log.say("\ud800")
        lines = [line.text for message in self.channel.of(Log) for line in message.lines]
        self.assertEqual(lines, ["x" * 4096, "?"])

    def test_backpressure(self) -> None:
        """A link that takes no more gets no lines, until it does."""
        self.channel.writable = False
        self.bench.log.connected(self.channel)
        self.bench.log.say("line")
        self.assertEqual(self.channel.sent, [])
        self.channel.writable = True
        self.bench.log.writable()
        self.assertEqual(len(self.channel.sent), 1)


class GreeterTests(Case):
    """Says again what the device offers, when that changes."""

    def setUp(self) -> None:
        self.bench = Bench()
        self.lost = 0
        self.greeter = Greeter(lambda: Hello(lost=self.lost), self.bench.clock)
        self.channel = FakeChannel()
        self.addCleanup(self.greeter.disconnected)

    def change(self) -> None:
        """Something is another."""
        self.lost += 1
        self.greeter.changed()

    def test_change(self) -> None:
        """A change is said soon, and once."""
        self.greeter.hello()
        self.greeter.connected(self.channel)
        self.change()
        self.change()
        self.bench.steady.pump([SOON] * 20)
        self.assertEqual(self.channel.sent, [Hello(lost=2)])

    def test_storm(self) -> None:
        """What changes all the time is said every few seconds."""
        self.greeter.hello()
        self.greeter.connected(self.channel)
        for _ in range(100):
            self.change()
            self.bench.steady.advance(0.5)
        self.assertLess(len(self.channel.sent), 50 / AT_MOST_EVERY + 2)

    def test_while_greeting(self) -> None:
        """What changes between the greeting and the welcome is said too."""
        self.greeter.hello()
        self.change()
        self.greeter.connected(self.channel)
        self.bench.steady.advance(SOON)
        self.assertEqual(self.channel.sent, [Hello(lost=1)])

    def test_nothing(self) -> None:
        """Nothing is said where nothing changed."""
        self.greeter.hello()
        self.greeter.connected(self.channel)
        self.greeter.changed()
        self.bench.steady.pump([1] * 10)
        self.assertEqual(self.channel.sent, [])
