"""The center: its parts, and how they know of each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from iotcenter.center.commands import Commands
from iotcenter.center.devices import Devices
from iotcenter.center.events import Events
from iotcenter.center.files import DEFAULT_LIMITS as DEFAULT_FILE_LIMITS
from iotcenter.center.files import Files
from iotcenter.center.history import History
from iotcenter.center.known import KnownDevice
from iotcenter.center.links import DeviceLink, Links
from iotcenter.center.logs import Logs
from iotcenter.center.open_ports import OpenPorts
from iotcenter.center.readings import Readings
from iotcenter.center.recall import Recall
from iotcenter.center.singles import Single, Singles
from iotcenter.center.subscribers import Subscribers
from iotcenter.center.tunnels import DEFAULT_LIMITS, Limits, Tunnels
from iotcenter.identity.accounts import Accounts
from iotcenter.interfaces import Clock, Link
from iotcenter.model import DeviceId, EventKind, LogLevel, LogLine
from iotcenter.storage.file_rows import FileLimits
from iotcenter.storage.store import Store
from iotcenter.wire.codec import DamagedReport
from iotcenter.wire.joint import Half, Side
from iotcenter.wire.messages import File, Hello, Log, Report, Result, Tunnel


class Center:
    """What transports bring devices to, and what pages, the API and the command line ask.

    It knows nothing of sockets, HTTP or SQL. ``load`` it before anything comes in, ``start`` it, and ``stop`` it at the
    end.
    """

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        clock: Clock,
        limits: Limits = DEFAULT_LIMITS,
        files: FileLimits = DEFAULT_FILE_LIMITS,
    ) -> None:
        self._store = store
        self.subscribers = Subscribers(clock)
        self.events = Events(store, clock.seconds)
        self.devices = Devices(store, accounts, self.subscribers, self.events, clock)
        self.links = Links(store, self.devices, self.subscribers, clock, files.size)
        self.readings = Readings(store, self.devices, self.subscribers, clock)
        self.singles = Singles(self.readings, store, self.devices, self.subscribers, clock)
        self.commands = Commands(store, self.devices, self.subscribers, self.events, clock)
        self.logs = Logs(store, self.devices, self.subscribers, clock)
        self.files = Files(store, self.devices, self.subscribers, self.events, clock, files)
        self.history = History(store, self.devices)
        self._recall = Recall(store, self.devices, clock.seconds)
        self.tunnels = Tunnels(self.devices, self.events, clock, limits)
        self.open_ports = OpenPorts(self.devices, self.tunnels, self.events, clock)
        self.devices.leaving = self._leaving
        self.links.joined = self.commands.joined
        self.links.parted = self._parted
        self.links.listening = self.commands.listening
        self.links.undelivered = self.commands.undelivered
        self.links.take_reports = self.readings.reports
        self.links.handlers = {
            Report: self.readings.report,
            DamagedReport: self.readings.report,
            Result: self.commands.result,
            Log: self.logs.received,
            File: self.files.received,
            Tunnel: self.tunnels.answered,
            Hello: self.links.offered,
        }

    async def load(self) -> None:
        """Take up what is kept on disk."""
        await self.devices.load()
        await self.commands.load()
        await self.files.load()
        self._store.readings.start()

    def start(self) -> None:
        """Begin to watch over presence and tunnels."""
        self.links.start()
        self._recall.start()
        self.tunnels.start()

    def stop(self) -> None:
        """Leave no timer behind; the transports have ended their links."""
        self._recall.stop()
        self.open_ports.stop()
        self.tunnels.stop()
        self.links.stop()
        self.commands.stop()
        self.subscribers.stop()

    def attach(self, device: DeviceId, link: Link, hello: Hello | None) -> DeviceLink:
        """Make ``link`` the way to ``device``; see ``iotcenter.interfaces.Center``."""
        return self.links.attach(device, link, hello)

    def reports(self, arrived: Sequence[Single]) -> None:
        """Devices sent a report each; see ``iotcenter.interfaces.Center``."""
        self.singles.take(arrived)

    def meet(self, device: DeviceId, id: bytes, far: Side) -> Callable[[], Half]:
        """``device`` dialled back for a tunnel; see ``iotcenter.interfaces.Center``."""
        return self.tunnels.meet(device, id, far)

    def note(self, device: DeviceId, text: str) -> None:
        """See ``iotcenter.interfaces.Center``."""
        known = self.devices.find(device)
        if known is not None:
            self.logs.keep(known, (LogLine(0.0, LogLevel.WARNING, text),))
            self.events.note(EventKind.DEVICE_WARNED, known.name, known.name, f"{known.name}: {text}")

    def _leaving(self, known: KnownDevice) -> None:
        self.commands.removed(known)
        self.open_ports.removed(known)
        self.files.removed(known)

    def _parted(self, link: DeviceLink) -> None:
        self.commands.parted(link)
        self.tunnels.parted(link)
