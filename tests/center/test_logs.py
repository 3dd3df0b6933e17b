"""The lines that devices log."""

from __future__ import annotations

from twisted.logger import capturedLogs, formatEvent

from iotcenter.center.links import DeviceLink
from iotcenter.center.logs import MAX_WAITING
from iotcenter.center.subscribers import LogEvent
from iotcenter.model import LogLevel, LogLine
from iotcenter.wire.messages import Log
from tests.center.support import NOW, CenterTestCase


class FloodTests(CenterTestCase):
    """Devices that log faster than the disk writes."""

    async def test_bound(self) -> None:
        """Of one that does, lines are dropped, which the log says; once the disk has caught up, it is heard again."""
        _, device = self.join()
        with capturedLogs() as logged:
            await self.log(device, *map(str, range(MAX_WAITING + 5)))
        said = [formatEvent(event) for event in logged]
        self.assertEqual(said, ["kitchen-pi logs faster than can be kept; some of its lines are dropped"] * 5)
        await self.log(device, "after")
        self.assertEqual([event.line.text for event in self.told(LogEvent)], [*map(str, range(MAX_WAITING)), "after"])

    async def test_others(self) -> None:
        """It costs no other device a line."""
        _, noisy = self.join()
        self.device = (await self.accounts.add("garden", "tls", "ann")).id
        _, quiet = self.join()
        await self.log(noisy, *map(str, range(MAX_WAITING)))
        await self.log(quiet, "heard")
        self.assertEqual(self.told(LogEvent)[-1].device, "garden")

    async def log(self, device: DeviceLink, *texts: str) -> None:
        """Have a device log each text in a message of its own, and wait until the disk has caught up."""
        kept = self.next_event(LogEvent)
        for text in texts:
            device.received(Log((LogLine(NOW, LogLevel.INFO, text),)))
        await kept
        await self.store.devices.seen(device.known.id, NOW, "192.0.2.7")
