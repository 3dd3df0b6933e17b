"""A reading's way through the center: to the disk, and then to whoever watches.

This is the hot path: no Deferred, no task and no line of log per report.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from twisted.logger import Logger

from iotcenter.center.subscribers import LiveReading, Subscribers
from iotcenter.storage.readings import Outcome
from iotcenter.storage.store import Store
from iotcenter.wire.codec import DamagedReport
from iotcenter.wire.messages import Ack, Busy, Report

if TYPE_CHECKING:
    from iotcenter.center.links import DeviceLink
    from iotcenter.interfaces import Clock

RETRY = 5.0
"""Seconds after which a device sends again what could not be stored: soon after there is room, and no storm till
then."""


class Readings:
    """Stores reports and acknowledges them. Acknowledgements of one commit go out together, merged where they touch."""

    log = Logger()

    def __init__(self, store: Store, subscribers: Subscribers, clock: Clock) -> None:
        self._store = store
        self._subscribers = subscribers
        self._clock = clock
        self._acks: dict[DeviceLink, list[Ack]] = {}
        store.readings.committed = self._acknowledge

    def report(self, attachment: DeviceLink, report: Report | DamagedReport) -> None:
        """A device sent readings."""
        now = self._clock.seconds()
        attachment.known.last_report = now
        report = attachment.known.timeline.place(report, now)
        self._store.readings.append(attachment.known.id, report, now, partial(self._stored, attachment, report))

    def _stored(self, attachment: DeviceLink, report: Report | DamagedReport, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._turn_away(attachment, report, str(outcome.error))
            return
        known = attachment.known
        known.count(len(outcome.new), outcome.duplicates, outcome.late, len(outcome.refused))
        count = report.count if isinstance(report, DamagedReport) else len(report.readings)
        ack = Ack(report.boot, report.sequence, count, outcome.refused)
        self._acks.setdefault(attachment, []).append(ack)
        for reading in outcome.new:
            if known.newest(reading):
                trend = known.trend(reading.name, reading.time)
                live = LiveReading(known.name, reading.name, reading.value, reading.time, trend)
                self._subscribers.changed(live)

    def _turn_away(self, attachment: DeviceLink, report: Report | DamagedReport, reason: str) -> None:
        attachment.known.timeline.forget(report)
        if attachment.current:
            attachment.link.send(Busy(report.boot, report.sequence, RETRY, reason))

    def _acknowledge(self) -> None:
        waiting, self._acks = self._acks, {}
        for attachment, acks in waiting.items():
            for ack in merged(acks):
                attachment.link.send(ack)


def merged(acks: list[Ack]) -> list[Ack]:
    """The same acknowledgements in fewer messages: those that follow on one another become one."""
    if not any(_touch(first, second) for first, second in pairwise(acks)):
        return acks
    result = [acks[0]]
    for ack in acks[1:]:
        last = result[-1]
        if _touch(last, ack):
            result[-1] = Ack(last.boot, last.sequence, last.count + ack.count, last.refused + ack.refused)
        else:
            result.append(ack)
    return result


def _touch(first: Ack, second: Ack) -> bool:
    """Whether the two are one range. Those with refusals stay apart: their reasons are long, and a frame is not."""
    if first.refused or second.refused:
        return False
    return first.boot == second.boot and first.sequence + first.count == second.sequence
