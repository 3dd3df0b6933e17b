"""Reports of which each device sent one, as chips do: those of many devices come together, and go to the disk together.

This is the hot path of datagrams, which cost so little themselves that each object and call here counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from iotcenter.center.devices import Devices
from iotcenter.center.readings import CROWDED, AnyReport, Readings
from iotcenter.center.subscribers import Subscribers
from iotcenter.interfaces import Clock
from iotcenter.model import DeviceId, Reading
from iotcenter.storage.admission import admit_one, without_refused
from iotcenter.storage.errors import StorageError
from iotcenter.storage.store import Store
from iotcenter.wire.codec import encode_report
from iotcenter.wire.messages import Ack

if TYPE_CHECKING:
    from iotcenter.center.links import DeviceLink

Single = tuple["DeviceLink", AnyReport, bytes]
"""A report, the link that it came by, and its MessagePack."""

Waiting = tuple["DeviceLink", AnyReport, Ack, dict[str, Reading]]
"""The same on its way to the disk: as it was placed in time, what to answer then, and its newest reading of each
series."""


class Singles:
    """Does with single reports what ``Readings`` does with those that came together by one link.

    Each is acknowledged by itself: in a datagram nothing could be merged.
    """

    def __init__(
        self, readings: Readings, store: Store, devices: Devices, subscribers: Subscribers, clock: Clock
    ) -> None:
        self._readings = readings
        self._disk = store.readings
        self._devices = devices
        self._subscribers = subscribers
        self._clock = clock

    def take(self, arrived: Sequence[Single]) -> None:
        """Devices sent readings."""
        now, usual, crowded = self._clock.seconds(), self._devices.usually_from, self._disk.crowded
        waiting: list[Waiting] = []
        bodies: list[tuple[DeviceId, bytes]] = []
        for attachment, report, body in arrived:
            known = attachment.known
            known.last_seen = known.last_report = now
            if crowded and self._disk.must_wait(known.id):
                self._readings.turn_away(attachment, (report,), CROWDED)
                continue
            placed = known.timeline.place(report, now)
            newest: dict[str, Reading] = {}
            ack = admit_one(placed, now, known.earliest, usual, newest)
            keep = without_refused(placed, ack) if ack.refused else placed
            bodies.append((known.id, body if keep is report else encode_report(keep)))
            waiting.append((attachment, placed, ack, newest))
        if bodies:
            self._disk.append_singles(bodies, now, partial(self._stored, waiting))

    def _stored(self, waiting: Sequence[Waiting], error: StorageError | None) -> None:
        listen = self._subscribers.listen
        for attachment, placed, ack, newest in waiting:
            known = attachment.known
            if error is None:
                for reading in newest.values():
                    if known.newest(reading) and listen:
                        self._readings.publish(known, reading)
                attachment.link.send(ack)
            else:
                known.timeline.forget(placed)
                self._readings.turn_away(attachment, (placed,), str(error))
