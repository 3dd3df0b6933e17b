"""A reading's way to the server: in memory while that is quick, on disk while it is not, forgotten when it is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred

from iotcenter.model import LogLevel, Reading, Value
from iotcenter.wire.messages import Ack, Busy, Report
from iotdevice.channel import Channel
from iotdevice.clock import Clock
from iotdevice.config import SpoolSettings
from iotdevice.devicelog import DeviceLog
from iotdevice.spool import Spool, SpoolError, SpoolLost, Start
from iotdevice.tail import Tail
from iotdevice.timers import Timers
from iotdevice.trouble import Trouble
from iotdevice.window import READINGS, Row, Window, first_run
from iotdevice.workers import Runs

LAST_SEQUENCE = 2**32 - 1
"""The highest number of a reading within a boot that fits the wire."""

GATHER = 0.05
"""Seconds that a reading waits for others of its moment, so that ten sensors with one rhythm make one report."""

FORGET = 1.0
"""Seconds within which acknowledged readings are taken off the disk, all of them in one commit."""

RETRY = 5.0
"""Seconds after which a disk that failed is tried again."""

PATIENCE = (1.0, 300.0)
"""The shortest and the longest pause that a busy server gets: it cannot silence a device for a day by mistake."""

LOOK_FOR_OLD = 3600.0
"""Seconds between two looks for readings that are too old, since each reads the whole spool."""

EARLY = 0.001
"""How many seconds too early a reading may be brought to disk: less than clocks and timers differ by."""

STEP = 1.0
"""How many seconds the wall clock must have moved against the steady one to count as set anew."""


class Outbox:
    """Numbers readings, keeps them until the server has them, and sends them in order.

    What is acknowledged within ``[spool] sync`` seconds never touches the disk; what is not is on disk by then.
    """

    def __init__(
        self, spool: Spool, start: Start, disk: Runs, clock: Clock, log: DeviceLog, settings: SpoolSettings
    ) -> None:
        self.boot = start.boot
        """This start of the agent; readings bear it with a sequence number."""
        self.lost = start.lost
        """How many readings were ever thrown away unsent."""
        self.losing: Callable[[], None] = lambda: None
        """Called when they have become more: the server shall know."""
        self._spool = spool
        self._disk = disk
        self._clock = clock
        self._days = settings.days
        self._pause = 0.0 if settings.sync == "always" else settings.sync
        self._number = (start.boot, 0)
        self._window = Window()
        self._tail = Tail(start.last)
        self._timers = Timers(clock.steady)
        self._trouble = Trouble("The spool", clock, log)
        self._refusals = Trouble("The server refused readings", clock, log)
        self._channel: Channel | None = None
        self._saving = False
        self._fetching = False
        self._unwritten_lost = 0
        self._looked = clock.now() - LOOK_FOR_OLD
        self._offset = clock.offset

    def add(self, name: str, value: Value) -> None:
        """Take a reading, as of now."""
        boot, sequence = self._number
        self._number = (boot, sequence + 1) if sequence < LAST_SEQUENCE else (boot + 1, 1)
        self.lose(self._tail.append(Row(*self._number, name, value, self._clock.now())))
        self._timers.within(self._pause, self._save)
        self._timers.within(GATHER, self._send)

    @property
    def behind(self) -> bool:
        """Whether more readings wait than are on their way: what is not a reading shall wait too."""
        return self._fetching or not self._window.room or self._timers.pending(self._resume)

    def lose(self, count: int) -> None:
        """``count`` readings had to be thrown away."""
        if count:
            self._unwritten_lost += count
            self.lost += count
            self.losing()

    def connected(self, channel: Channel) -> None:
        """See ``Speaker``."""
        self._channel = channel
        self._send()

    def writable(self) -> None:
        """See ``Speaker``."""
        self._send()

    def disconnected(self) -> None:
        """See ``Speaker``: what was in flight is sent again over the next link."""
        self._channel = None
        self._window.take_back()
        self._timers.cancel(self._resume)

    def acknowledged(self, ack: Ack) -> None:
        """The server has these readings, or will never take them."""
        if ack.refused:
            self._refusals.failed(ack.refused[0].reason, LogLevel.WARNING)
        self._window.acknowledge(ack.boot, ack.sequence, ack.count)
        self._tail.done_to(self._window.done)
        self._timers.within(FORGET, self._save)
        self._send()

    def busy(self, busy: Busy) -> None:
        """The server cannot store readings now: they are sent again after a pause."""
        self._window.take_back((busy.boot, busy.sequence))
        self._timers.after(min(max(busy.retry, PATIENCE[0]), PATIENCE[1]), self._resume)

    async def stop(self) -> None:
        """Bring to disk what the server does not have."""
        self._timers.close()
        self._pause = 0.0
        await self._disk.run(_nothing)
        self._save()
        await self._disk.run(_nothing)

    def _send(self) -> None:
        """Send reports, as long as the link takes them and the server need not acknowledge some first."""
        while self._may_send():
            rows = self._tail.after(self._window.sent, READINGS)
            if rows is None:
                self._fetching = True
                Deferred.fromCoroutine(self._fetch())
            elif rows:
                self._report(rows)
            else:
                return

    def _may_send(self) -> bool:
        held = self._fetching or self._timers.pending(self._resume)
        return self._channel is not None and self._channel.writable and self._window.room and not held

    def _resume(self) -> None:
        self._send()

    def _report(self, rows: Sequence[Row]) -> None:
        rows = first_run(rows)
        self._window.put(rows)
        readings = tuple(Reading(row.name, row.value, self._clock.stamp(row.at)) for row in rows)
        time = self._clock.wall() if self._clock.set else 0.0
        assert self._channel is not None
        self._channel.send(Report(*rows[0].key, readings, time))

    async def _fetch(self) -> None:
        """The next readings to be sent are on disk: read them, and send them if nothing has changed meanwhile."""
        sent, saved = self._window.sent, self._tail.saved
        try:
            await self._mend()
            rows = await self._disk.run(self._spool.read, sent, READINGS)
        except SpoolError as error:
            self._failed(error)
            self._timers.within(RETRY, self._send)
            return
        finally:
            self._fetching = False
        if self._window.sent == sent:
            if not rows:
                self._window.skip_to(saved)
            elif self._may_send():
                self._report(rows)
        self._send()

    def _save(self) -> None:
        """Bring to disk what is new, and take off it what is done, in one commit; or nothing, where there is nothing to
        do."""
        if self._saving:
            return
        rows, oldest = self._ripe(), self._oldest()
        if rows or oldest or self._unwritten_lost or self._tail.stale(self._window.done):
            self._saving = True
            Deferred.fromCoroutine(self._commit(rows, oldest))

    async def _commit(self, rows: list[Row], oldest: float) -> None:
        lost, self._unwritten_lost = self._unwritten_lost, 0
        done, sent, saved = self._window.done, self._window.sent, self._tail.saved
        try:
            await self._mend()
            kept = await self._disk.run(self._spool.save, rows, done, sent, lost, oldest)
        except SpoolError as error:
            self._unwritten_lost += lost
            self._failed(error)
            self._timers.within(RETRY, self._save)
            return
        finally:
            self._saving = False
        if self._tail.saved == saved:
            self._tail.saved_to(rows[-1].key if rows else saved, done, self._window.sent, kept.trimmed)
        before, self.lost = self.lost, kept.lost + self._unwritten_lost
        if self.lost > before:
            self.losing()
        self._trouble.worked()
        if self._tail.unsaved():
            self._save()

    def _ripe(self) -> list[Row]:
        """What is to be brought to disk: all that is new, but nothing while the server may still be quicker."""
        rows = self._tail.unsaved()
        left = rows[0].at + self._pause - self._clock.now() if rows else 0.0
        if left < EARLY:
            return rows
        self._timers.within(left, self._save)
        return []

    async def _mend(self) -> None:
        """Readings that wait on disk were taken before the wall clock was set: they get their right times."""
        offset = self._clock.offset
        if abs(offset - self._offset) > STEP:
            await self._disk.run(self._spool.mend, offset)
            self._offset = offset

    def _oldest(self) -> float:
        """The wall time before which readings on disk are too old, 0 where it is not the time to look."""
        now = self._clock.now()
        if now - self._looked < LOOK_FOR_OLD or not self._clock.set or self._tail.saved <= self._window.done:
            return 0.0
        self._looked = now
        return self._clock.wall() - self._days * 86400

    def _failed(self, error: SpoolError) -> None:
        if isinstance(error, SpoolLost):
            self._tail.disk_lost()
        self._trouble.failed(f"{error}. Readings wait in memory")


def _nothing() -> None:
    """What the disk's thread does when all before it is done."""
