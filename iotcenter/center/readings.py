"""A reading's way through the center: to the disk, and then to whoever watches.

This is the hot path: no Deferred, no task and no line of log per report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from iotcenter.center.chunks import admit_together
from iotcenter.center.devices import Devices
from iotcenter.center.subscribers import LiveReading, Subscribers
from iotcenter.model import DeviceId, Reading
from iotcenter.storage.admission import Admitted, admit, without_refused
from iotcenter.storage.errors import StorageError
from iotcenter.storage.readings import Merged
from iotcenter.storage.store import Store
from iotcenter.wire.codec import DamagedReport, encode_report
from iotcenter.wire.messages import Ack, Busy, Report

if TYPE_CHECKING:
    from iotcenter.center.known import KnownDevice
    from iotcenter.center.links import DeviceLink
    from iotcenter.interfaces import Clock

RETRY = 5.0
"""Seconds after which a device sends again what could not be stored: soon after there is room, and no storm till
then."""

CROWDED = "so much of this device waits to be stored that what room is left is for others: send it again later"
"""Why a device has to wait that reports like mad."""

AnyReport = Report | DamagedReport

Arrived = tuple["DeviceLink", Sequence[AnyReport], Sequence[bytes]]
"""Reports that came together by one link, and the MessagePack of each."""

Waiting = tuple["DeviceLink", Sequence[AnyReport], Admitted]
"""The same on their way to the disk: as they were placed in time, and what to answer once they are there."""


class Readings:
    """Stores reports and acknowledges them. Acknowledgements of one commit go out together, merged where they touch.

    What is wrong with a reading is said with the acknowledgement. The account moves later, when the reports are merged
    into the tables: only then is it known what had come before.
    """

    def __init__(self, store: Store, devices: Devices, subscribers: Subscribers, clock: Clock) -> None:
        self._store = store
        self._devices = devices
        self._subscribers = subscribers
        self._clock = clock
        self._acks: dict[DeviceLink, list[Ack]] = {}
        store.readings.committed = self._acknowledge
        store.readings.merged = self._count

    def report(self, attachment: DeviceLink, report: AnyReport) -> None:
        """A device sent readings."""
        self.reports([(attachment, (report,), (encode_report(report),))])

    def reports(self, arrived: Sequence[Arrived]) -> None:
        """Devices sent readings, in reports that came together. They go to the disk together, and cost less so."""
        now = self._clock.seconds()
        usual = self._devices.usually_from
        waiting: list[Waiting] = []
        records: list[tuple[DeviceId, Sequence[bytes]]] = []
        for attachment, reports, bodies in arrived:
            known = attachment.known
            known.last_seen = known.last_report = now
            if self._store.readings.must_wait(known.id):
                self.turn_away(attachment, reports, CROWDED)
                continue
            admitted = admit_together(reports, now, known.earliest, known.timeline)
            if admitted is not None:
                records.append((known.id, bodies))
                waiting.append((attachment, reports, admitted))
                continue
            placed = [known.timeline.place(report, now) for report in reports]
            admitted = admit(placed, now, known.earliest, usual)
            records.append((known.id, _as_kept(reports, bodies, placed, admitted)))
            waiting.append((attachment, placed, admitted))
        if not records:
            return
        self._store.readings.append_together(records, now, partial(self._stored, waiting))

    def _stored(self, waiting: Sequence[Waiting], error: StorageError | None) -> None:
        listen = self._subscribers.listen
        for attachment, placed, admitted in waiting:
            if error is not None:
                for report in placed:
                    attachment.known.timeline.forget(report)
                self.turn_away(attachment, placed, str(error))
                continue
            self._acks.setdefault(attachment, []).extend(admitted.acks)
            known = attachment.known
            for reading in admitted.newest.values():
                if known.newest(reading) and listen:
                    self.publish(known, reading)

    def publish(self, known: KnownDevice, reading: Reading) -> None:
        """Tell those who watch of a reading that is the newest of its series."""
        trend = known.trend(reading.name, reading.time)
        self._subscribers.changed(LiveReading(known.name, reading.name, reading.value, reading.time, trend))

    def turn_away(self, attachment: DeviceLink, reports: Sequence[AnyReport], reason: str) -> None:
        """Have a device send again, later, what could not be stored."""
        for report in reports:
            if attachment.current:
                attachment.link.send(Busy(report.boot, report.sequence, RETRY, reason))

    def _acknowledge(self) -> None:
        waiting, self._acks = self._acks, {}
        for attachment, acks in waiting.items():
            for ack in merged(acks):
                attachment.link.send(ack)

    def _count(self, merged: Mapping[DeviceId, Merged]) -> None:
        for device, found in merged.items():
            known = self._devices.find(device)
            if known is not None:
                known.count(found.received, found.duplicates, found.late, found.refused)


def _as_kept(
    reports: Sequence[AnyReport], bodies: Sequence[bytes], placed: Sequence[AnyReport], admitted: Admitted
) -> Sequence[bytes]:
    """The bodies that go to the disk: as they came, but for reports that were placed in time, or refused in part."""
    kept = []
    for report, body, found, ack in zip(reports, bodies, placed, admitted.acks, strict=True):
        keep = without_refused(found, ack)
        kept.append(body if keep is report else encode_report(keep))
    return kept


def merged(acks: list[Ack]) -> list[Ack]:
    """The same acknowledgements in fewer messages: those that follow on one another become one."""
    if len(acks) == 1 or not any(_touch(first, second) for first, second in pairwise(acks)):
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
