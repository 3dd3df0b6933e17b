"""Where readings belong in time."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.python.monkey import MonkeyPatcher
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center import timeline
from iotcenter.center.timeline import BOOTS_AT_HAND, JITTER, STRETCHES, Timeline
from iotcenter.model import ClockState, Reading
from iotcenter.storage.times import EARLIEST, MOST_OFF
from iotcenter.wire.codec import BadReading, DamagedReport
from iotcenter.wire.messages import Report

NOW = 1_764_000_000.0
HOUR = 3600.0


def report(sequence: int, *times: float, clock: float = 0.0, boot: int = 1) -> Report:
    """A report of readings with these times."""
    return Report(boot, sequence, tuple(Reading("t", 1.0, time) for time in times), clock)


class TimelineCase(SynchronousTestCase):
    """A test with a device of which nothing is known yet."""

    def setUp(self) -> None:
        self.timeline = Timeline()

    def place(self, what: Any, received: float = NOW) -> list[float]:
        """The times that the readings of a report get."""
        placed = self.timeline.place(what, received)
        readings = placed.readings if isinstance(placed, Report) else [reading for _, reading in placed.good]
        return [reading.time for reading in readings]


class RightClockTests(TimelineCase):
    """The device knows the time."""

    def test_untouched(self) -> None:
        """Its reports are taken as they are, whatever the order of times in them: it may hand in what it measured
        earlier."""
        for one in (report(1, NOW - 5, NOW - 9, clock=NOW - MOST_OFF), report(3, NOW - 7, clock=NOW), report(4, NOW)):
            self.assertIs(self.timeline.place(one, NOW), one)

    def test_wild_times(self) -> None:
        """A time that cannot be gives way to that of the reading before, or else behind; or to when it was received."""
        self.assertEqual(self.place(report(1, 1e9 - 1e8, NOW - 2, NOW + 9e5, clock=NOW)), [NOW - 2, NOW - 2, NOW - 2])
        self.assertEqual(self.place(report(4, EARLIEST - 1, clock=NOW)), [NOW - 2])
        self.assertEqual(self.place(report(1, NOW + 1e6, clock=NOW, boot=2)), [NOW])

    def test_no_clock_and_a_wild_time(self) -> None:
        """Where nothing says what it could be, it stays, and storing refuses it."""
        self.assertEqual(self.place(report(1, NOW + 1e6)), [NOW + 1e6])

    def test_state(self) -> None:
        """It is known whether the clock is right, and by how much it is ahead."""
        self.assertEqual((self.timeline.clock, self.timeline.clock_off), (ClockState.UNKNOWN, None))
        self.place(report(1, NOW, clock=NOW + 2))
        self.assertEqual((self.timeline.clock, self.timeline.clock_off), (ClockState.RIGHT, 2.0))


class NoClockTests(TimelineCase):
    """The device sends ages."""

    def test_ages(self) -> None:
        """They count from when the report was received."""
        self.assertEqual(self.place(report(1, -12.5, -2.0, 0.0)), [NOW - 12.5, NOW - 2, NOW])
        self.assertEqual((self.timeline.clock, self.timeline.clock_off), (ClockState.NONE, None))

    def test_not_in_the_future(self) -> None:
        """An age from the future is none."""
        self.assertEqual(self.place(report(1, 5.0)), [NOW])

    def test_delays(self) -> None:
        """A report that was long on its way does not push later readings before its own."""
        self.assertEqual(self.place(report(1, -10.0, 0.0), NOW + 8), [NOW - 2, NOW + 8])
        self.assertEqual(self.place(report(3, -1.0, 0.0), NOW + 8.5), [NOW + 8, NOW + 8.5])

    def test_filled_gap(self) -> None:
        """What comes late goes between its neighbours."""
        self.place(report(1, -30.0))
        self.place(report(4, -9.0, 0.0))
        self.assertEqual(self.place(report(2, -100.0, -1.0)), [NOW - 30, NOW - 9])

    def test_turned_away(self) -> None:
        """What could not be stored comes again, and is placed where it was, though others came meanwhile."""
        self.place(report(1, -30.0))
        busy = self.timeline.place(report(2, -20.0, -15.0), NOW)
        self.place(report(4, 0.0))
        self.timeline.forget(busy)
        self.assertEqual(self.place(report(2, -26.0, -21.0), NOW + 5), [NOW - 20, NOW - 16])
        self.assertEqual(self.place(report(5, 0.0), NOW + 6), [NOW + 6])

    def test_clock_comes_later(self) -> None:
        """A boot that began without a clock goes on with one; its order stays."""
        self.place(report(1, -1.0), NOW + 4)
        self.assertEqual(self.place(report(2, NOW + 2, NOW + 5, clock=NOW + 5), NOW + 5), [NOW + 3, NOW + 5])

    def test_earlier_boot(self) -> None:
        """What waited on the device since an earlier boot is older than what it measures now, by its age."""
        self.assertEqual(self.place(report(1, 0.0, boot=2)), [NOW])
        self.assertEqual(self.place(report(7, -HOUR, boot=1), NOW + 1), [NOW + 1 - HOUR])

    def test_restart(self) -> None:
        """After a restart of the server the order goes on from what is on its disk."""
        self.timeline.resume(1, 10, NOW + 3)
        self.assertEqual(self.place(report(11, -1.0, 0.0), NOW + 4), [NOW + 3, NOW + 4])

    def test_server_clock_set_back(self) -> None:
        """Where the server's own clock goes back, nothing is placed in its future."""
        self.place(report(1, 0.0), NOW + HOUR)
        self.assertEqual(self.place(report(2, -1.0), NOW), [NOW])

    def test_damaged(self) -> None:
        """The readings of a report that fit are placed by their own numbers."""
        good = ((0, Reading("t", 1.0, -3.0)), (2, Reading("t", 1.0, -1.0)))
        self.assertEqual(self.place(DamagedReport(1, 5, 3, 0.0, good, (BadReading(1, "no"),))), [NOW - 3, NOW - 1])
        self.assertEqual(self.place(report(6, -2.0)), [NOW - 2])
        self.assertEqual(self.place(DamagedReport(1, 8, 1, 0.0, (), (BadReading(0, "no"),))), [])


class WrongClockTests(TimelineCase):
    """The device's clock is off by more than minutes."""

    def test_shift(self) -> None:
        """Its times move by as much as it is off, in both directions, and though it was never set."""
        self.assertEqual(self.place(report(1, NOW - HOUR - 5, clock=NOW - HOUR)), [NOW - 5])
        self.assertEqual(self.place(report(1, NOW + HOUR - 5, clock=NOW + HOUR, boot=2)), [NOW - 5])
        self.assertEqual(self.place(report(1, 3e8 - 5, clock=3e8, boot=3)), [NOW - 5])
        self.assertIs(self.timeline.clock, ClockState.WRONG)
        self.assertEqual(self.timeline.clock_off, 3e8 - NOW)

    def test_set_right(self) -> None:
        """When the clock is set, its times count again, from where they were."""
        self.place(report(1, NOW - HOUR, clock=NOW - HOUR))
        self.assertEqual(self.place(report(2, NOW + 4, clock=NOW + 5), NOW + 5), [NOW + 4])
        self.assertIs(self.timeline.clock, ClockState.RIGHT)

    def test_jump(self) -> None:
        """A clock that jumps within a boot moves nothing."""
        self.place(report(1, NOW, clock=NOW))
        self.assertEqual(self.place(report(2, NOW + 9001, clock=NOW + 9002), NOW + 2), [NOW + 1])
        self.assertEqual(self.place(report(3, NOW - 8998, clock=NOW - 8997), NOW + 3), [NOW + 2])

    def test_delay_is_no_jump(self) -> None:
        """A report that was very long on its way comes from a clock that is right; one that stays behind is wrong."""
        self.place(report(1, NOW, clock=NOW))
        self.assertEqual(self.place(report(2, NOW + 4, clock=NOW + 5), NOW + 905), [NOW + 4])
        self.assertEqual(self.place(report(3, NOW + 906, clock=NOW + 907), NOW + 908), [NOW + 906])
        for second in (0, 59, 61, 120):
            times = self.place(report(4 + second, NOW + 1000 + second, clock=NOW + 1000 + second), NOW + 1900 + second)
            self.assertEqual(times, [NOW + (1000 if second < JITTER else 1900) + second])

    def test_border(self) -> None:
        """One that is about as far off as is allowed does not make its readings jump to and fro."""
        times = []
        for second in range(10):
            clock = NOW + second - MOST_OFF + (-1) ** second  # 299 and 301 seconds behind by turns
            times += self.place(report(second + 1, clock, clock=clock), NOW + second)
        self.assertEqual(times, sorted(times))
        self.assertLess(max(later - earlier for earlier, later in pairwise(times[1:])), 5)

    def test_delays(self) -> None:
        """A link that delays a report now and then does not smear its readings."""
        self.place(report(1, NOW - HOUR, clock=NOW - HOUR))
        self.assertEqual(self.place(report(2, NOW - HOUR + 10, clock=NOW - HOUR + 10), NOW + 40), [NOW + 10])


class BoundsTests(TimelineCase):
    """A device cannot make the server remember without end."""

    def test_boots_and_stretches(self) -> None:
        """Few boots are remembered, and few stretches of each."""
        for number in range(1, 500):
            self.place(report(number * 3, 0.0, boot=1))
            self.place(report(1, 0.0, boot=number + 1))
        self.assertLessEqual(len(self.timeline._boots), BOOTS_AT_HAND)
        for number in range(1, 500):
            self.place(report(number * 3, 0.0, boot=1000))
        self.assertLessEqual(len(self.timeline._boots[1000]._stretches), STRETCHES)


STEPS = st.lists(
    st.tuples(
        st.floats(0.0, 100.0),  # seconds until the report is sent
        st.floats(0.0, 40.0),  # seconds on its way
        st.integers(1, 4),  # readings
        st.sampled_from(["ages", "right", "wrong", "wilder"]),
        st.booleans(),  # whether storing turns it away at first
    ),
    min_size=1,
    max_size=12,
)
TIMES = st.lists(st.sampled_from([-9.0, -0.5, 0.0, 0.0, 0.0, 3.0, NOW, -2e9]), min_size=1, max_size=3)
OFFSETS = {"right": 0.0, "wrong": -3 * HOUR, "wilder": 9e8}


class PropertyTests(SynchronousTestCase):
    """Whatever the device's clock does, and whatever the link."""

    @given(STEPS)
    def test_order_and_receipt(self, steps: list[Any]) -> None:
        """From where a boot lost its clock on, readings stand in the order of their numbers; none is placed after it
        was received."""
        timeline, sequence, received = Timeline(), 1, NOW
        placed: dict[int, float] = {}
        timeline.place(report(1, 0.0, boot=1), NOW)  # it begins without a clock
        placed[1] = NOW
        sent = list(accumulate((pause for pause, *_ in steps), initial=NOW))[1:]
        again: list[tuple[float, int, int, str]] = []
        for at, (_, delay, count, clock, busy) in zip(sent, steps, strict=True):
            received = max(received, at + delay)
            one = self.report_at(at, sequence + 1, count, clock)
            sequence += count
            found = timeline.place(one, received)
            if busy:
                timeline.forget(found)
                again.append((at, one.sequence, count, clock))
            else:
                self.enter(placed, found, received)
        for at, first, count, clock in again:
            received += 1.0
            self.enter(
                placed, timeline.place(self.report_at(at, first, count, clock, received - 0.5), received), received
            )
        times = [placed[number] for number in sorted(placed)]
        self.assertEqual(len(times), sequence)
        self.assertEqual(times, sorted(times))

    @given(st.lists(st.tuples(st.floats(-5.0, 50.0), st.booleans(), TIMES), max_size=12))
    def test_short_way(self, steps: list[Any]) -> None:
        """Ages that follow on one another are placed on a way of their own, and just as all others."""
        short, long = Timeline(), Timeline()
        the_long_way = MonkeyPatcher((timeline._Boot, "follow", lambda *_: None))
        received, sequence = NOW, 1
        for pause, skipped, times in steps:
            received += pause
            sequence += skipped
            one = report(sequence, *times)
            sequence += len(times)
            self.assertEqual(short.place(one, received), the_long_way.runWithPatches(long.place, one, received))

    def report_at(self, at: float, first: int, count: int, clock: str, sent: float | None = None) -> Report:
        """A report of readings that were taken in the last moments before ``at``, and sent at ``sent``."""
        sent = at if sent is None else sent
        taken = [at - 0.001 * (count - 1 - number) for number in range(count)]
        if clock == "ages":
            return report(first, *(min(time - sent, 0.0) for time in taken))
        return report(first, *(time + OFFSETS[clock] for time in taken), clock=sent + OFFSETS[clock])

    def enter(self, placed: dict[int, float], found: Any, received: float) -> None:
        """Note where the readings of a report are."""
        for number, reading in enumerate(found.readings, found.sequence):
            self.assertLessEqual(reading.time, received)
            placed[number] = reading.time
