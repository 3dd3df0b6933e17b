"""The door of storage: everything that is kept, in one place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from iotcenter.storage.accounts import Accounts
from iotcenter.storage.arrivals import Arrivals
from iotcenter.storage.aside import SetAside
from iotcenter.storage.care import Care
from iotcenter.storage.commands import Commands
from iotcenter.storage.database import Database
from iotcenter.storage.devices import Devices
from iotcenter.storage.enrollments import Enrollments
from iotcenter.storage.entries import position
from iotcenter.storage.errors import StorageError
from iotcenter.storage.events import Events
from iotcenter.storage.files import Files
from iotcenter.storage.forecast import Disk, disk
from iotcenter.storage.housekeeping import Housekeeping
from iotcenter.storage.importing import Imports
from iotcenter.storage.inbox import Inbox
from iotcenter.storage.intake import Intake
from iotcenter.storage.logs import Logs
from iotcenter.storage.merging import Merger
from iotcenter.storage.readings import Readings
from iotcenter.storage.registrations import Registrations
from iotcenter.storage.retention import Keep
from iotcenter.storage.sessions import Sessions
from iotcenter.storage.ssh_keys import SshKeys
from iotcenter.storage.tokens import Tokens
from iotcenter.storage.udp_keys import UdpKeys

FILE = "iotcenter.db"
INBOX = "inbox"
ASIDE = "set-aside"
FILES = "files"
"""What of all this is called what, in the data directory."""


class Store:
    """What is kept in ``directory``, of which the caller holds the lock."""

    def __init__(self, directory: Path, reactor: Any, commit_every: float = 0.0) -> None:
        """``commit_every`` is how many seconds of reports are gathered before they are brought to disk."""
        self._database = Database(directory / FILE, reactor)
        self._directory = directory
        self._care = Care(directory / FILE, self._database, reactor)
        self._inbox = Inbox(directory / INBOX, reactor, commit_every)
        self._merger = Merger(self._database, self._inbox, Intake(), SetAside(directory / ASIDE), reactor, commit_every)
        self.readings = Readings(self._database, self._inbox, self._merger)
        self._housekeeping = Housekeeping(self._database, reactor, self.readings)
        self.files = Files(self._database, directory / FILES, reactor)
        self.devices = Devices(self._database, removed=self._removed)
        self.arrivals = Arrivals(self._database)
        self.commands = Commands(self._database)
        self.logs = Logs(self._database)
        self.accounts = Accounts(self._database)
        self.sessions = Sessions(self._database)
        self.tokens = Tokens(self._database)
        self.enrollments = Enrollments(self._database)
        self.udp_keys = UdpKeys(self._database)
        self.registrations = Registrations(self._database)
        self.ssh_keys = SshKeys(self._database)
        self.events = Events(self._database)
        self.imports = Imports(self._database)
        self.last_written = 0.0
        """When something was written last before this start, in Unix seconds; 0 where nothing ever was."""

    @property
    def trouble(self) -> StorageError | None:
        """Why nothing can be stored at present; None while all is well."""
        return self._database.trouble or self._inbox.trouble

    @property
    def notices(self) -> tuple[str, ...]:
        """What the operator should know, and do something about, though storing works."""
        return self._care.notices()

    def open(self) -> None:
        """Make the database or bring it up to date, and save what can be read of a damaged one. It blocks: to be done
        before anything listens.

        Raises ``StorageError``.
        """
        files = [*self._directory.glob(f"{FILE}*"), *self._directory.glob(f"{INBOX}/*")]
        self.last_written = max((file.stat().st_mtime for file in files), default=0.0)
        self._care.open()
        self._inbox.open(self._database.look(position))
        self.files.open()

    def start(self, keep: Keep, now: Callable[[], float]) -> None:
        """Begin to keep house: what is older than ``keep`` says is dropped. ``now`` is the Unix time."""
        self._housekeeping.start(keep, now)
        self.files.start(now())

    def keep_house(self) -> None:
        """There may be something to delete: do not wait for the next round."""
        self._housekeeping.wake()

    def disk(self) -> Deferred[Disk]:
        """How much room there is, and how long it will last."""
        return self._database.read(partial(disk, directory=self._directory))

    def close(self) -> Deferred[None]:
        """Finish what waits, and close. What comes after fails with ``Closed``."""
        self._housekeeping.stop()
        return Deferred.fromCoroutine(self._close())

    def _removed(self) -> None:
        """A device is no more: what hung on it is to be deleted."""
        self._housekeeping.wake()
        self.files.sweep()

    async def _close(self) -> None:
        self.files.close()
        await self._inbox.close()
        await self._merger.stop()
        await self._care.close()
