"""A reading's way to the server."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from iotcenter.wire.messages import Ack, Busy, Refusal, Report
from iotdevice.config import SpoolSettings
from iotdevice.outbox import FORGET, GATHER, PATIENCE, RETRY, Outbox
from iotdevice.spool import FILE, Spool
from iotdevice.window import READINGS, REPORTS, START, Key
from tests.device.support import Bench, Case, FakeChannel, HeldRuns

SECOND = SpoolSettings()
ALWAYS = SpoolSettings(sync="always")


class Device:
    """An outbox with a real spool, its disk held by the test; it can be killed and started again."""

    def __init__(self, folder: Path, settings: SpoolSettings = SECOND) -> None:
        self.bench = Bench()
        self.path = folder / FILE
        self.settings = settings
        self.channel: FakeChannel | None = None
        self.start()

    def start(self) -> None:
        """Start the agent anew; what it had in memory is gone."""
        self.disk = HeldRuns()
        self.channel = None
        self.spool = Spool(self.path, "device", self.settings, lambda _: None)
        clock = self.bench.clock
        start = self.spool.start("machine", clock.wall(), clock.offset)
        self.outbox = Outbox(self.spool, start, self.disk, clock, self.bench.log, self.settings)

    def kill(self) -> None:
        """The process is no more."""
        for call in self.bench.steady.getDelayedCalls():
            call.cancel()
        self.spool.close()

    def connect(self) -> FakeChannel:
        """A link comes about."""
        self.channel = FakeChannel()
        self.outbox.connected(self.channel)
        return self.channel

    def disconnect(self) -> None:
        """The link is gone."""
        self.channel = None
        self.outbox.disconnected()

    def add(self, count: int = 1) -> None:
        """The application measures."""
        for _ in range(count):
            self.outbox.add("x", 1.0)

    def wait(self, seconds: float) -> None:
        """Time goes on."""
        self.bench.steady.advance(seconds)

    def settle(self) -> None:
        """The disk does all that it was asked to."""
        self.disk.finish()

    def on_disk(self) -> list[Key]:
        """The readings that a power cut would leave."""
        return [row.key for row in self.spool.read(START, 100_000)]


def keys(report: Report) -> list[Key]:
    """The numbers of a report's readings."""
    return [(report.boot, report.sequence + place) for place in range(len(report.readings))]


def ack(report: Report, refused: tuple[Refusal, ...] = ()) -> Ack:
    """All of it is stored."""
    return Ack(report.boot, report.sequence, len(report.readings), refused)


class OutboxTests(Case):
    """A reading's way to the server."""

    def setUp(self) -> None:
        self.device = Device(self.folder())
        self.outbox = self.device.outbox
        self.addCleanup(lambda: self.device.spool.close())

    def test_report(self) -> None:
        """Readings of one moment go out together, with their times and the device's own."""
        channel = self.device.connect()
        self.device.add(3)
        self.assertEqual(channel.sent, [])
        self.device.wait(GATHER)
        (report,) = channel.take()
        self.assertEqual((report.boot, report.sequence, len(report.readings)), (self.outbox.boot, 1, 3))
        self.assertEqual(report.readings[0].time, self.device.bench.wall)
        self.assertEqual(report.time, self.device.bench.wall + GATHER)

    def test_quick_server(self) -> None:
        """What is acknowledged within a second never touches the disk."""
        channel = self.device.connect()
        for _ in range(50):
            self.device.add()
            self.device.wait(GATHER)
            for report in channel.take():
                self.outbox.acknowledged(ack(report))
        self.device.wait(5)
        self.assertEqual(self.device.disk.waiting, 0)

    def test_slow_server(self) -> None:
        """What is not acknowledged within a second is on disk then, in one commit, and forgotten when it is."""
        channel = self.device.connect()
        for _ in range(10):
            self.device.add()
            self.device.wait(GATHER)
        self.device.wait(1)
        self.assertEqual(self.device.disk.waiting, 1)
        self.device.settle()
        self.assertEqual(len(self.device.on_disk()), 10)
        for report in channel.take():
            self.outbox.acknowledged(ack(report))
        self.device.wait(FORGET)
        self.assertEqual(self.device.disk.waiting, 1)
        self.device.settle()
        self.assertEqual(self.device.on_disk(), [])

    def test_always(self) -> None:
        """With ``sync = "always"`` each reading is brought to disk at once; those that come meanwhile share the next
        commit."""
        self.device.settings = ALWAYS
        self.device.start()
        self.device.add()
        self.device.wait(0)
        self.device.add(5)
        self.device.wait(0)
        self.assertEqual(self.device.disk.waiting, 1)
        self.device.disk.step()
        self.assertEqual(self.device.disk.waiting, 1)
        self.device.disk.step()
        self.assertEqual(len(self.device.on_disk()), 6)

    def test_window(self) -> None:
        """Only so many reports wait for their acknowledgement; each that comes lets the next go."""
        self.device.add(READINGS * (REPORTS + 2))
        channel = self.device.connect()
        reports = channel.take()
        self.assertEqual([len(report.readings) for report in reports], [READINGS] * REPORTS)
        self.outbox.acknowledged(ack(reports[0]))
        self.assertEqual(len(channel.take()), 1)

    def test_backpressure(self) -> None:
        """A link that takes no more gets no more, until it does."""
        channel = self.device.connect()
        channel.writable = False
        self.device.add()
        self.device.wait(GATHER)
        self.assertEqual(channel.sent, [])
        channel.writable = True
        self.outbox.writable()
        self.assertEqual(len(channel.sent), 1)

    def test_resend(self) -> None:
        """What was not acknowledged when the link broke comes again over the next, under the same numbers."""
        channel = self.device.connect()
        self.device.add(3)
        self.device.wait(GATHER)
        self.device.disconnect()
        again = self.device.connect()
        self.assertEqual(keys(again.take()[0]), keys(channel.take()[0]))

    def test_busy(self) -> None:
        """A busy server gets a pause, and then the same readings, before any newer one."""
        channel = self.device.connect()
        self.device.add(2)
        self.device.wait(GATHER)
        (report,) = channel.take()
        self.outbox.busy(Busy(report.boot, report.sequence, 7.0, "disk full"))
        self.device.add()
        self.device.wait(6.9)
        self.assertEqual(channel.sent, [])
        self.device.wait(0.1)
        self.assertEqual(keys(channel.take()[0])[:2], keys(report))

    def test_impatient_and_endless(self) -> None:
        """A server can neither make the device hammer at it nor silence it for a day."""
        for asked, pause in ((0.0, PATIENCE[0]), (1e6, PATIENCE[1])):
            channel = self.device.connect()
            self.device.add()
            self.device.wait(GATHER)
            report = channel.take()[0]
            self.outbox.busy(Busy(report.boot, report.sequence, asked))
            self.device.wait(pause - 0.01)
            self.assertEqual(channel.sent, [])
            self.device.wait(0.01)
            self.outbox.acknowledged(ack(channel.take()[0]))

    def test_refused(self) -> None:
        """A reading that the server will never take is said in the log, once, and not sent again."""
        channel = self.device.connect()
        for _ in range(3):
            self.device.add()
            self.device.wait(GATHER)
            report = channel.take()[0]
            self.outbox.acknowledged(ack(report, (Refusal(report.sequence, "the name is wrong"),)))
        self.assertEqual(self.device.bench.log.lines, ["warning: The server refused readings: the name is wrong"])

    def test_backlog(self) -> None:
        """What waits on disk comes first, all of it, in order, and then what is new."""
        self.backlog(1000)
        self.device.add(2)
        channel = self.device.connect()
        self.device.settle()
        sent = [key for report in channel.take() for key in keys(report)]
        boot = self.outbox.boot
        self.assertEqual([number for _, number in sent], [*range(1, 1001), 1, 2])
        self.assertEqual([key for key in sent if key[0] == boot], [(boot, 1), (boot, 2)])

    def backlog(self, count: int) -> None:
        """Readings of an earlier start wait on disk."""
        self.device.add(count)
        self.device.wait(1)
        self.device.settle()
        self.device.kill()
        self.device.start()
        self.outbox = self.device.outbox

    def test_link_broken_while_reading(self) -> None:
        """A link that breaks while readings come from the disk leaves no gap: all in flight go again, from the
        first."""
        self.backlog(3 * READINGS)
        channel = self.device.connect()
        self.device.disk.step()
        self.assertEqual(len(channel.take()), 1)
        self.device.disconnect()
        channel = self.device.connect()
        self.device.settle()
        self.assertEqual([report.sequence for report in channel.sent], [1, READINGS + 1, 2 * READINGS + 1])

    def test_trimmed_while_reading(self) -> None:
        """Readings that were thrown away for want of room leave a gap, and those after it go on."""
        self.backlog(10)
        self.device.add(3)
        channel = self.device.connect()
        self.device.spool.save([], (self.outbox.boot - 1, 10), START, 0, 0.0)
        self.device.settle()
        self.assertEqual([keys(report)[0] for report in channel.sent], [(self.outbox.boot, 1)])
        self.outbox.acknowledged(ack(channel.take()[0]))
        self.device.wait(2)
        self.device.settle()
        self.assertEqual(self.device.on_disk(), [])

    def test_saved_while_reading(self) -> None:
        """What comes to disk while an empty place on it is read is not taken for sent."""
        self.backlog(10)
        self.device.connect()
        self.device.spool.save([], (self.outbox.boot - 1, 10), START, 0, 0.0)
        self.device.add(1500)
        self.device.wait(1)
        self.device.disk.step()
        channel = self.device.channel
        assert channel is not None
        self.device.settle()
        self.assertEqual(sum(len(report.readings) for report in channel.sent), 1500)

    def test_damaged_spool(self) -> None:
        """When the spool's file is lost, what memory still has goes into a new one."""
        self.device.add(5)
        self.device.wait(1)
        self.device.settle()
        self.device.spool.close()
        self.device.path.write_bytes(b"no database" * 500)
        for suffix in ("-wal", "-shm"):
            Path(f"{self.device.path}{suffix}").unlink(missing_ok=True)
        self.device.add(1)
        self.device.wait(1)
        self.device.settle()
        self.device.wait(RETRY)
        self.device.settle()
        self.assertEqual(len(self.device.on_disk()), 6)

    def test_disk_full(self) -> None:
        """Where the disk takes nothing, readings wait in memory and are sent all the same; the log says it, and when it
        is over."""
        save, self.device.spool._path = self.device.spool._path, Path("/proc/nowhere")
        self.device.spool.close()
        self.device.add(3)
        self.device.wait(1)
        self.device.settle()
        channel = self.device.connect()
        self.assertEqual(len(keys(channel.sent[0])), 3)
        self.device.spool._path = save
        self.device.wait(RETRY)
        self.device.settle()
        self.assertEqual(len(self.device.on_disk()), 3)
        first, second = self.device.bench.log.lines
        self.assertIn("The spool: No such file or directory. Readings wait in memory", first)
        self.assertIn("The spool works again", second)

    def test_lost(self) -> None:
        """What had to be thrown away is counted, whoever has to tell the server is told, and the count outlives the
        agent."""
        told: list[int] = []
        self.outbox.losing = lambda: told.append(self.outbox.lost)
        self.outbox.lose(5)
        self.assertEqual(told, [5])
        self.device.add()
        self.device.wait(1)
        self.device.settle()
        self.assertEqual(self.outbox.lost, 5)
        self.device.kill()
        self.device.start()
        self.assertEqual(self.device.outbox.lost, 5)

    def test_clock_not_set(self) -> None:
        """While the machine does not know the time, readings bear their age; once it does, the right time."""
        bench = self.device.bench
        bench.wall = 100.0
        self.device.start()
        channel = self.device.connect()
        self.device.add()
        self.device.wait(GATHER)
        report = channel.take()[0]
        self.assertEqual((report.readings[0].time, report.time), (-GATHER, 0.0))
        self.device.disconnect()
        self.device.wait(2)
        self.device.settle()
        bench.wall = 1_800_000_000.0
        report = self.device.connect().take()[0]
        self.assertEqual(report.readings[0].time, bench.wall)

    def test_numbers_used_up(self) -> None:
        """When a boot's numbers are used up, the next boot number goes on."""
        self.outbox._number = (self.outbox.boot, 2**32 - 2)
        self.device.add(3)
        channel = self.device.connect()
        self.assertEqual(
            [keys(report) for report in channel.sent],
            [[(self.outbox.boot, 2**32 - 1)], [(self.outbox.boot + 1, 1), (self.outbox.boot + 1, 2)]],
        )

    def test_stop(self) -> None:
        """An agent that stops brings to disk what the server does not have, and leaves no timer."""
        self.device.add(3)
        stopped = self.device.disk
        done = Deferred.fromCoroutine(self.outbox.stop())
        stopped.finish()
        self.successResultOf(done)
        self.assertEqual(len(self.device.on_disk()), 3)
        self.assertEqual(self.device.bench.steady.getDelayedCalls(), [])


ACTIONS = st.sampled_from(
    ["add", "add", "burst", "wait", "second", "connect", "cut", "ack", "ack any", "busy", "disk", "disk", "kill"]
)


class FaultTests(Case):
    """Whatever happens to link, disk and process."""

    @settings(max_examples=100)
    @given(st.lists(st.tuples(ACTIONS, st.integers(0, 3)), min_size=30, max_size=60), st.sampled_from([SECOND, ALWAYS]))
    def test_nothing_lost(self, steps: list[tuple[str, int]], settings: SpoolSettings) -> None:
        """Every reading that the process lived to commit arrives, all that a living process took arrive, in order on
        each link."""
        with tempfile.TemporaryDirectory() as folder:
            world = World(Device(Path(folder), settings))
            for action, number in steps:
                world.do(action, number)
            world.drain()
            self.assertEqual(world.expected - set(world.stored), set())
            self.assertEqual(world.device.outbox.lost, 0)
            world.device.kill()


class World:
    """A device, its server, and what befalls them."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.stored: list[Key] = []
        self.expected: set[Key] = set()
        self.made: set[Key] = set()
        self.flying: list[Report] = []

    def do(self, action: str, number: int) -> None:
        """One thing happens."""
        device, outbox = self.device, self.device.outbox
        if action in ("add", "burst"):
            before = outbox._number[1]
            device.add(number + 1 if action == "add" else 150 * number)
            self.made |= {(outbox.boot, sequence) for sequence in range(before + 1, outbox._number[1] + 1)}
        elif action in ("wait", "second"):
            device.wait(GATHER if action == "wait" else 1.0)
        elif action == "connect" and device.channel is None:
            device.connect()
        elif action == "cut" and device.channel is not None:
            device.disconnect()
            self.flying.clear()
        elif action == "disk" and device.disk.waiting:
            device.disk.step()
            self.expected |= set(device.on_disk())
        elif action == "kill":
            self.kill()
        else:
            self.answer(action, number)
        self.collect()

    def answer(self, action: str, number: int) -> None:
        """The server stores a report, or turns one away."""
        if self.device.channel is None or not self.flying:
            return
        report = self.flying.pop(0 if action == "ack" else number % len(self.flying))
        if action == "busy":
            self.device.outbox.busy(Busy(report.boot, report.sequence, 1.0))
        else:
            self.stored += keys(report)
            self.device.outbox.acknowledged(ack(report))

    def kill(self) -> None:
        """The process dies; what ever was on disk is all that counts of it."""
        self.device.kill()
        self.flying.clear()
        self.device.start()
        self.made = set()

    def collect(self) -> None:
        """Reports fly to the server."""
        if self.device.channel is not None:
            self.flying += self.device.channel.take()

    def drain(self) -> None:
        """A long time of peace."""
        self.expected |= self.made
        if self.device.channel is None:
            self.device.connect()
        for _ in range(200):
            self.device.wait(1.0)
            self.device.settle()
            self.collect()
            while self.flying:
                self.answer("ack", 0)
                self.device.settle()
                self.collect()
