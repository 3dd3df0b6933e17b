"""Links, and whether a device is there."""

from __future__ import annotations

import msgspec

from iotcenter.center.errors import UnknownDevice
from iotcenter.center.subscribers import DeviceEvent, LogEvent, PresenceEvent, RemovedEvent
from iotcenter.interfaces import Refused
from iotcenter.model import AppState, LogLevel, LogLine, PresenceState
from iotcenter.storage.errors import NameTaken
from iotcenter.wire.errors import WireError
from iotcenter.wire.messages import Ack, CloseCode, Hello, Log, Welcome
from tests.center.support import HELLO, NOW, CenterTestCase, TestLink, report


class LinksTests(CenterTestCase):
    """One link per device; the newest wins."""

    def test_a_device_is_welcomed_and_online(self) -> None:
        """It learns its name and id; watchers learn that it is there."""
        link, _ = self.join()
        [welcome] = link.of(Welcome)
        self.assertEqual((welcome.name, welcome.id, welcome.heartbeat), ("kitchen-pi", self.device, 10.0))
        device = self.center.devices.get("kitchen-pi")
        self.assertEqual((device.state, device.address, device.agent), (PresenceState.ONLINE, "192.0.2.7", "test/1"))
        self.assertEqual([event.state for event in self.told(PresenceEvent)], [PresenceState.ONLINE])

    def test_a_newer_link_replaces_the_older(self) -> None:
        """The older is closed with its reason, and its end does not take the device offline."""
        old, first = self.join()
        self.join()
        self.assertEqual(old.closed and old.closed[0], CloseCode.REPLACED)
        first.detached("closed")
        self.assertIs(self.center.devices.get("kitchen-pi").state, PresenceState.ONLINE)

    def test_a_device_that_goes_is_offline(self) -> None:
        """Watchers are told, and when it was last seen stays."""
        _, attachment = self.join()
        self.clock.advance(5)
        attachment.received(HELLO)
        attachment.detached("no sign of life")
        device = self.center.devices.get("kitchen-pi")
        self.assertEqual((device.state, device.last_seen), (PresenceState.OFFLINE, NOW + 5))
        self.assertIs(self.told(PresenceEvent)[-1].state, PresenceState.OFFLINE)

    def test_nobody_is_late_because_the_clock_was_set(self) -> None:
        """The times of links that stand move along with it."""
        self.join()
        self.clock.rightNow += 86400
        self.clock.advance(1)
        device = self.center.devices.get("kitchen-pi")
        self.assertIs(device.state, PresenceState.ONLINE)
        self.assertEqual(device.connected_since, NOW + 86400)

    async def test_late_by_its_own_rhythm(self) -> None:
        """A device that announced a reading every 10 s is late after 30 s without one, and in time again with the
        next."""
        link, attachment = self.join()
        self.clock.pump([1.0] * 30)
        self.assertIs(self.center.devices.get("kitchen-pi").state, PresenceState.ONLINE)
        self.clock.pump([1.0] * 2)
        self.assertIs(self.told(PresenceEvent)[-1].state, PresenceState.LATE)
        self.assertEqual(self.told(PresenceEvent)[-1].reason, "no readings for 31 s, expected every 10 s")
        acknowledged = link.next(Ack)
        attachment.received(report(1, 20.0))
        await acknowledged
        self.clock.advance(1)
        self.assertIs(self.told(PresenceEvent)[-1].state, PresenceState.ONLINE)

    def test_values_that_come_by_themselves_are_never_late(self) -> None:
        """Without an announced interval, a link is enough."""
        self.join(Hello())
        self.clock.pump([100.0] * 10)
        self.assertIs(self.center.devices.get("kitchen-pi").state, PresenceState.ONLINE)

    def test_a_changed_offer_is_told(self) -> None:
        """A second Hello changes what the device offers, and how its app fares."""
        _, attachment = self.join()
        told = len(self.told(DeviceEvent))
        attachment.received(HELLO)
        self.assertEqual(len(self.told(DeviceEvent)), told)
        attachment.received(msgspec.structs.replace(HELLO, commands=(), app=AppState.FAILED, app_detail="ValueError"))
        device = self.told(DeviceEvent)[-1].device
        self.assertEqual((device.commands, device.app, device.app_detail), ((), AppState.FAILED, "ValueError"))

    def test_what_devices_do_not_send_is_refused(self) -> None:
        """A server's message from a device ends its link."""
        _, attachment = self.join()
        self.assertRaises(WireError, attachment.received, Ack(1, 1, 1))

    def test_an_unknown_device_is_refused(self) -> None:
        """Only what is on the list gets in."""
        self.assertRaises(Refused, self.center.attach, "0" * 32, TestLink(), HELLO)

    async def test_logs(self) -> None:
        """Lines are kept and told; a time that counts from now is made absolute."""
        _, attachment = self.join()
        logged = self.next_event(LogEvent)
        attachment.received(Log((LogLine(-5.0, LogLevel.WARNING, "low"), LogLine(NOW, LogLevel.INFO, "ok"))))
        await logged
        lines = await self.center.logs.recent("kitchen-pi")
        self.assertEqual([(line.time, line.level, line.text) for line in lines][1], (NOW - 5, LogLevel.WARNING, "low"))
        self.assertEqual([event.line.text for event in self.told(LogEvent)], ["low", "ok"])
        self.assertEqual(len(await self.center.logs.recent("kitchen-pi", level=LogLevel.WARNING)), 1)


class DevicesTests(CenterTestCase):
    """Names, revocation and removal."""

    async def test_rename(self) -> None:
        """A device keeps its link and its readings under a new name; a name in use is refused."""
        self.join()
        await self.accounts.add("garage", "tls", "ann")
        renamed = await self.center.devices.rename("kitchen-pi", "cellar", "ann")
        self.assertEqual((renamed.id, renamed.state), (self.device, PresenceState.ONLINE))
        self.assertRaises(UnknownDevice, self.center.devices.get, "kitchen-pi")
        with self.assertRaises(NameTaken):
            await self.center.devices.rename("cellar", "garage", "ann")
        self.assertEqual(self.center.devices.get("cellar").name, "cellar")

    async def test_revoke(self) -> None:
        """A revoked device may not attach again, and shows as revoked."""
        await self.center.devices.revoke("kitchen-pi", "ann")
        device = self.center.devices.get("kitchen-pi")
        self.assertEqual((device.revoked, device.reason), (True, "it was revoked"))
        self.assertRaises(Refused, self.center.attach, self.device, TestLink(), HELLO)

    async def test_remove(self) -> None:
        """Nothing is left of a removed device, after a restart neither."""
        link, attachment = self.join()
        acknowledged = link.next(Ack)
        attachment.received(report(1, 20.5))
        await acknowledged
        attachment.detached("removed")
        await self.center.devices.remove("kitchen-pi", "ann")
        self.assertEqual(self.told(RemovedEvent), [RemovedEvent("kitchen-pi")])
        self.center.stop()
        await self.open_center()
        self.assertEqual(self.center.devices.all(), ())
