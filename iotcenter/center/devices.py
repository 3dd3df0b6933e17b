"""All devices that this server knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from iotcenter.center.attendance import Attendance
from iotcenter.center.errors import UnknownDevice
from iotcenter.center.events import Events
from iotcenter.center.known import Brief, KnownDevice
from iotcenter.center.lengths import in_words
from iotcenter.center.lost import Lost
from iotcenter.center.subscribers import DeviceEvent, RemovedEvent, Subscribers
from iotcenter.identity.accounts import Accounts
from iotcenter.identity.enrollment import require_device_name
from iotcenter.interfaces import Clock, Metered, Traffic
from iotcenter.model import Device, DeviceId, EventKind
from iotcenter.storage.devices import DeviceRow
from iotcenter.storage.retention import Earliest
from iotcenter.storage.sql import seconds
from iotcenter.storage.store import Store


class Devices:
    """Keeps every device in memory, as small as it is, so that no report and no page has to ask the database who it is
    from.

    ``leaving`` is told of each device that is removed. ``usually_from`` is from when on readings of a new series are
    taken in, in Unix seconds.
    """

    def __init__(
        self, store: Store, accounts: Accounts, subscribers: Subscribers, events: Events, clock: Clock
    ) -> None:
        self._store = store
        self._events = events
        self._accounts = accounts
        self._subscribers = subscribers
        self._clock = clock
        self._by_id: dict[DeviceId, KnownDevice] = {}
        self._by_name: dict[str, KnownDevice] = {}
        self.usually_from = 0.0
        self.leaving: Callable[[KnownDevice], None] = lambda _: None
        accounts.admitted = self.admit
        store.readings.refuse_older = self.refuse_older

    async def load(self) -> None:
        """Read what is kept; called once, before anything comes in."""
        for row in await self._store.devices.all():
            self._enter(row)
        for device_id, values in (await self._store.readings.latest()).items():
            if (known := self._by_id.get(device_id)) is not None:  # it may be removed, and reports of it wait
                known.latest.update(values)
                known.earliest.update(dict.fromkeys(values, 0.0))  # a series may be in the inbox alone
        self.refuse_older(await self._store.readings.earliest())
        for device_id, account in (await self._store.readings.accounts()).items():
            known = self._by_id[device_id]
            known.count(account.received, account.duplicates, account.late, account.refused)
        for device_id, (lost, told) in (await self._store.readings.lost()).items():
            self._by_id[device_id].lost = Lost(lost, told)
        for device_id, run in (await self._store.arrivals.newest()).items():
            self._by_id[device_id].timeline.resume(run.boot, run.last, seconds(run.time))

    def refuse_older(self, earliest: Earliest) -> None:
        """From now on, readings are taken in only from then on."""
        self.usually_from = earliest.usual
        for device, begins in earliest.series.items():
            if (known := self._by_id.get(device)) is not None:
                known.earliest.update(begins)

    def all(self) -> tuple[Device, ...]:
        """Every device as it stands now, by name."""
        now = self._clock.seconds()
        return tuple(self._by_name[name].snapshot(now) for name in sorted(self._by_name))

    def some(self, names: Iterable[str]) -> dict[str, Device]:
        """Those of these devices that there are, as they stand now, by name. With a thousand devices this takes a
        fraction of what ``all`` takes."""
        now = self._clock.seconds()
        return {name: self._by_name[name].snapshot(now) for name in dict.fromkeys(names) if name in self._by_name}

    def names(self) -> list[str]:
        """The names of all devices, in order."""
        return sorted(self._by_name)

    def briefs(self) -> list[Brief]:
        """What lists need to know of every device, by name: as much cheaper."""
        now = self._clock.seconds()
        return [self._by_name[name].brief(now) for name in sorted(self._by_name)]

    def get(self, name: str) -> Device:
        """The device as it stands now. Raises ``UnknownDevice``."""
        return self.named(name).snapshot(self._clock.seconds())

    def named(self, name: str) -> KnownDevice:
        """What is known of the device of that name. Raises ``UnknownDevice``."""
        known = self._by_name.get(name)
        if known is None:
            raise UnknownDevice(name)
        return known

    def find(self, device: DeviceId) -> KnownDevice | None:
        """What is known of the device with that id."""
        return self._by_id.get(device)

    def linked(self) -> tuple[KnownDevice, ...]:
        """The devices that have a link now."""
        return tuple(known for known in self._by_id.values() if known.linked)

    def measuring(self, since: float) -> list[tuple[KnownDevice, str]]:
        """The series of numbers that have a value from ``since`` on."""
        return [
            (known, name)
            for known in self._by_id.values()
            for name, (value, time) in known.latest.items()
            if isinstance(value, float) and time >= since
        ]

    def admit(self, row: DeviceRow) -> None:
        """A device was added, or enrolled: it is new, or may come in again."""
        known = self._by_id.get(row.id) or self._enter(row)
        known.revoked = row.revoked
        self.announce(known)

    async def rename(self, name: str, new: str, actor: str) -> Device:
        """Call a device something else; its links, readings and certificate stay. Raises ``UnknownDevice`` and
        ``NameTaken``."""
        known = self.named(name)
        require_device_name(new)
        await self._store.devices.rename(known.id, new)
        del self._by_name[known.name]
        known.name = new
        self._by_name[new] = known
        self._subscribers.forget(name)
        self._events.note(EventKind.DEVICE_RENAMED, actor, new, f"{actor} renamed {name} to {new}", was=name)
        self.announce(known, was=name)
        return known.snapshot(self._clock.seconds())

    async def expect(self, name: str, seconds: float, actor: str) -> Device:
        """Expect to hear of a device every so many seconds, 0: as often as it says itself. Raises ``UnknownDevice``."""
        known = self.named(name)
        await self._store.devices.expect(known.id, seconds)
        known.expected = seconds
        often = f"every {in_words(seconds)}" if seconds else "as often as it says itself"
        self._events.note(EventKind.DEVICE_CHANGED, actor, name, f"{actor} expects {name} {often}", expected=seconds)
        self.announce(known)
        return known.snapshot(self._clock.seconds())

    def attendance(self, name: str) -> tuple[float, ...]:
        """How many seconds of each of the last 48 half-hours a device was here, oldest first. Raises
        ``UnknownDevice``."""
        return self.named(name).attendance.seconds(self._clock.seconds())

    def traffic(self, name: str) -> Traffic | None:
        """How many bytes a device's link has carried, where it is here and its transport counts them. Raises
        ``UnknownDevice``."""
        attachment = self.named(name).attachment
        return attachment.link.traffic if attachment is not None and isinstance(attachment.link, Metered) else None

    async def revoke(self, name: str, actor: str) -> Device:
        """Keep a device out from now on: its link ends in this very turn of the reactor. Its readings stay."""
        known = self.named(name)
        await self._accounts.revoke(known.id)
        known.revoked = True
        self._events.note(EventKind.DEVICE_REVOKED, actor, name, f"{actor} revoked {name}")
        self.announce(known)
        return known.snapshot(self._clock.seconds())

    async def remove(self, name: str, actor: str) -> None:
        """Forget a device and all that it ever sent."""
        known = self.named(name)
        await self._accounts.remove(known.id)
        self.leaving(known)
        self._by_id.pop(known.id, None)
        self._by_name.pop(known.name, None)
        self._subscribers.forget(known.name)
        self._events.note(EventKind.DEVICE_REMOVED, actor, name, f"{actor} removed {name} with all its readings")
        self._subscribers.publish(RemovedEvent(known.name))

    def announce(self, known: KnownDevice, was: str | None = None) -> None:
        """Tell everybody what a device is now, and that it was called ``was``."""
        self._subscribers.publish(DeviceEvent(known.snapshot(self._clock.seconds()), was))

    def _enter(self, row: DeviceRow) -> KnownDevice:
        known = KnownDevice(row.id, row.name, row.transport, row.created)
        known.revoked = row.revoked
        known.address = row.address
        known.agent = row.agent
        known.last_seen = row.last_seen
        known.expected = row.expected
        known.attendance = Attendance(row.attendance)
        known.offer(row.series, row.commands, row.ssh)
        self._by_id[row.id] = known
        self._by_name[row.name] = known
        return known
