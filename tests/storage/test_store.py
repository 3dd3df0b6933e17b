from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from iotcenter.storage.errors import Closed, StorageError
from iotcenter.storage.store import FILE, Store
from iotcenter.wire.codec import encode
from tests.storage.support import KITCHEN, NOW, report


class StoreTests(TestCase):
    """Everything that is kept, behind one door."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.store = Store(self.directory, reactor)
        self.store.open()
        self.addCleanup(self.store.close)

    async def test_whole_way(self) -> None:
        """A device is added, reports, and its reading is found."""
        await self.store.devices.add(KITCHEN, "kitchen", "tls", NOW)
        self.store.readings.start()
        stored: Deferred[StorageError | None] = Deferred()
        self.store.readings.append(KITCHEN, NOW, [encode(report(1, 20.5))], stored.callback)
        self.assertIsNone(await stored)
        await self.store.readings.settled()
        self.assertEqual(await self.store.readings.latest(), {KITCHEN: {"t": (20.5, NOW)}})
        self.assertIsNone(self.store.trouble)
        self.assertTrue((self.directory / FILE).exists())

    async def test_closed(self) -> None:
        """After the end everything is refused."""
        await self.store.close()
        await self.assertFailure(self.store.devices.all(), Closed)
        await self.assertFailure(self.store.accounts.count_users(), Closed)
