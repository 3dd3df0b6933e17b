"""The short way of reports that come one from each device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.known import KnownDevice
from iotcenter.center.links import DeviceLink
from iotcenter.center.readings import AnyReport, Readings, merged
from iotcenter.center.singles import Singles
from iotcenter.center.subscribers import Subscribers
from iotcenter.model import DeviceId, Message, Reading
from iotcenter.storage.errors import Busy, StorageError
from iotcenter.wire.codec import BadReading, DamagedReport, encode_report
from iotcenter.wire.messages import Ack, Report
from tests.center.support import NOW

DEVICES = ("0" * 32, "1" * 32, "2" * 32)
CROWDED = DEVICES[2]
"""The device that has to wait while the disk is crowded."""

READINGS = st.builds(
    Reading,
    st.sampled_from(["t", "t", "u", "new", "no name"]),
    st.sampled_from([20.5, -1e308, 1e308, True, "open", "long" * 64, float("inf")]),
    st.sampled_from([NOW - 2000.0, NOW - 10.0, NOW - 10.0, NOW, NOW + 90_000.0, -3.0, -1.0, 0.0, 5.0]),
)
BOOTS = st.sampled_from([1, 1, 2, 2**32 - 1])
NUMBERS = st.sampled_from([1, 2, 3, 4, 2**32 - 1])
CLOCKS = st.sampled_from([0.0, 0.0, NOW, NOW + 299.0, NOW - 400.0])
WHOLE = st.builds(Report, BOOTS, NUMBERS, st.lists(READINGS, min_size=1, max_size=3).map(tuple), CLOCKS)
DAMAGED = st.builds(
    lambda boot, sequence, clock, reading: DamagedReport(
        boot, sequence, 2, clock, ((1, reading),), (BadReading(0, "no number"),)
    ),
    *(BOOTS, NUMBERS, CLOCKS, READINGS),
)
ARRIVED = st.lists(st.tuples(st.sampled_from(DEVICES), st.one_of(WHOLE, WHOLE, DAMAGED)), max_size=5)
COMMITS = st.lists(st.tuples(ARRIVED, st.booleans(), st.booleans()), max_size=5)


class Disk:
    """In place of ``storage.readings.Readings``: keeps what is brought, until the test says what came of it."""

    def __init__(self) -> None:
        self.committed: Callable[[], None] = lambda: None
        self.crowded = False
        self.brought: list[tuple[DeviceId, bytes]] = []
        self._waiting: list[Callable[[StorageError | None], None]] = []

    def must_wait(self, device: DeviceId) -> bool:
        """See ``storage.readings.Readings``."""
        return self.crowded and device == CROWDED

    def append_together(self, reports: Sequence[tuple[DeviceId, Sequence[bytes]]], _: float, done: Any) -> None:
        """See ``storage.readings.Readings``."""
        self.append_singles([(device, body) for device, bodies in reports for body in bodies], _, done)

    def append_singles(self, reports: Sequence[tuple[DeviceId, bytes]], _: float, done: Any) -> None:
        """See ``storage.readings.Readings``."""
        self.brought += reports
        self._waiting.append(done)

    def commit(self, error: StorageError | None) -> None:
        """All that waits is on disk, or ``error`` says why not."""
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done(error)
        self.committed()


class House:
    """A center of three devices, on a disk that a test holds in its hand."""

    def __init__(self) -> None:
        clock = Clock()
        clock.advance(NOW)
        self.disk = Disk()
        self.told: list[Any] = []
        self.subscribers = Subscribers(clock)
        self.subscribers.subscribe(self.told.append)
        store: Any = SimpleNamespace(readings=self.disk)
        links: Any = None  # of which nothing is asked
        devices: Any = SimpleNamespace(usually_from=NOW - 1000.0, find=lambda _: None)
        self.readings = Readings(store, devices, self.subscribers, clock)
        self.singles = Singles(self.readings, store, devices, self.subscribers, clock)
        self.sent: dict[DeviceId, list[Message]] = {device: [] for device in DEVICES}
        self.links: dict[DeviceId, DeviceLink] = {}
        for device in DEVICES:
            known = KnownDevice(device, device, "udp", 0.0)
            known.earliest = {"t": 0.0, "u": NOW - 1000.0}
            link: Any = SimpleNamespace(send=self.sent[device].append)
            self.links[device] = known.attachment = DeviceLink(known, link, links)

    def said(self) -> dict[DeviceId, list[Message]]:
        """What each device was told since it was asked last: first what is acknowledged, in as few messages as may
        be."""
        said = {}
        for device, messages in self.sent.items():
            acks = [message for message in messages if isinstance(message, Ack)]
            said[device] = [*merged(acks), *(one for one in messages if not isinstance(one, Ack))]
            messages.clear()
        return said

    def state(self) -> list[Any]:
        """What is known of each device."""
        return [_state(link.known) for link in self.links.values()]


def _state(known: KnownDevice) -> Any:
    timeline = known.timeline
    boots = {number: vars(boot) for number, boot in timeline._boots.items()}
    return known.latest, known.earliest, known.last_report, timeline.clock, timeline.clock_off, boots


class SinglesTests(SynchronousTestCase):
    """Reports of many devices in one go."""

    @given(COMMITS)
    def test_same_as_the_long_way(self, commits: list[tuple[list[tuple[DeviceId, AnyReport]], bool, bool]]) -> None:
        """Whatever comes, and whatever becomes of it: the same goes to the disk, is answered, told and remembered as if
        each had come by itself."""
        short, long = House(), House()
        for arrived, crowded, fails in commits:
            short.disk.crowded = long.disk.crowded = crowded
            short.singles.take([(short.links[device], each, encode_report(each)) for device, each in arrived])
            for device, each in arrived:
                long.readings.report(long.links[device], each)
            self.assertEqual(short.disk.brought, long.disk.brought)
            for house in (short, long):
                house.disk.commit(Busy() if fails else None)
            self.assertEqual(short.said(), long.said())
            self.assertEqual(short.state(), long.state())
            self.assertEqual(short.subscribers._changed, long.subscribers._changed)
