"""The center: its parts, and how they know of each other."""

from __future__ import annotations

from iotcenter.center.commands import Commands
from iotcenter.center.devices import Devices
from iotcenter.center.history import History
from iotcenter.center.links import DeviceLink, Links
from iotcenter.center.logs import Logs
from iotcenter.center.readings import Readings
from iotcenter.center.subscribers import Subscribers
from iotcenter.identity.accounts import Accounts
from iotcenter.interfaces import Clock, Link
from iotcenter.model import DeviceId
from iotcenter.storage.store import Store
from iotcenter.wire.codec import DamagedReport
from iotcenter.wire.messages import Hello, Log, Report, Result


class Center:
    """What transports bring devices to, and what pages, the API and the command line ask.

    It knows nothing of sockets, HTTP or SQL. ``load`` it before anything comes in, ``start`` it, and ``stop`` it at the
    end.
    """

    def __init__(self, store: Store, accounts: Accounts, clock: Clock) -> None:
        self.subscribers = Subscribers(clock)
        self.devices = Devices(store, accounts, self.subscribers, clock)
        self.links = Links(store, self.devices, self.subscribers, clock)
        self.readings = Readings(store, self.subscribers, clock)
        self.commands = Commands(store, self.devices, self.subscribers, clock)
        self.logs = Logs(store, self.devices, self.subscribers, clock)
        self.history = History(store, self.devices)
        self.devices.leaving = self.commands.removed
        self.links.joined = self.commands.joined
        self.links.parted = self.commands.parted
        self.links.handlers = {
            Report: self.readings.report,
            DamagedReport: self.readings.report,
            Result: self.commands.result,
            Log: self.logs.received,
            Hello: self.links.offered,
        }

    async def load(self) -> None:
        """Take up what is kept on disk."""
        await self.devices.load()
        await self.commands.load()

    def start(self) -> None:
        """Begin to watch over presence."""
        self.links.start()

    def stop(self) -> None:
        """Leave no timer behind; the transports have ended their links."""
        self.links.stop()
        self.commands.stop()
        self.subscribers.stop()

    def attach(self, device: DeviceId, link: Link, hello: Hello) -> DeviceLink:
        """Make ``link`` the way to ``device``; see ``iotcenter.interfaces.Center``."""
        return self.links.attach(device, link, hello)
