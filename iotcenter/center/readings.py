"""A reading's way through the center: to the disk, and then to whoever watches.

This is the hot path: no Deferred, no task and no line of log per report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from iotcenter.center.devices import Devices
from iotcenter.center.subscribers import LiveReading, Subscribers
from iotcenter.model import DeviceId
from iotcenter.storage.admission import Admitted, admit, without_refused
from iotcenter.storage.errors import StorageError
from iotcenter.storage.readings import Merged
from iotcenter.storage.store import Store
from iotcenter.wire.codec import DamagedReport, encode_report
from iotcenter.wire.messages import Ack, Busy, Report

if TYPE_CHECKING:
    from iotcenter.center.links import DeviceLink
    from iotcenter.interfaces import Clock

RETRY = 5.0
"""Seconds after which a device sends again what could not be stored: soon after there is room, and no storm till
then."""


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

    def report(self, attachment: DeviceLink, report: Report | DamagedReport) -> None:
        """A device sent readings."""
        self.reports(attachment, (report,), (encode_report(report),))

    def reports(
        self, attachment: DeviceLink, reports: Sequence[Report | DamagedReport], bodies: Sequence[bytes]
    ) -> None:
        """A device sent readings, in several reports that came together."""
        now = self._clock.seconds()
        known = attachment.known
        known.last_report = now
        placed = [known.timeline.place(report, now) for report in reports]
        admitted = admit(placed, now, known.earliest, self._devices.usually_from)
        kept = [without_refused(report, ack) for report, ack in zip(placed, admitted.acks, strict=True)]
        if kept != [*reports]:
            bodies = [encode_report(report) for report in kept]
        self._store.readings.append(known.id, now, bodies, partial(self._stored, attachment, placed, admitted))

    def _stored(
        self,
        attachment: DeviceLink,
        placed: Sequence[Report | DamagedReport],
        admitted: Admitted,
        error: StorageError | None,
    ) -> None:
        if error is not None:
            self._turn_away(attachment, placed, str(error))
            return
        known = attachment.known
        self._acks.setdefault(attachment, []).extend(admitted.acks)
        for reading in admitted.newest.values():
            if known.newest(reading) and self._subscribers.listen:
                trend = known.trend(reading.name, reading.time)
                live = LiveReading(known.name, reading.name, reading.value, reading.time, trend)
                self._subscribers.changed(live)

    def _turn_away(self, attachment: DeviceLink, placed: Sequence[Report | DamagedReport], reason: str) -> None:
        for report in placed:
            attachment.known.timeline.forget(report)
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
