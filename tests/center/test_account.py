"""The account of a device's readings, and what is known of its clock."""

from __future__ import annotations

from msgspec.structs import replace
from twisted.internet.defer import Deferred

from iotcenter.center.links import DeviceLink
from iotcenter.center.lost import Lost
from iotcenter.model import ClockState, Reading
from iotcenter.storage.admission import TOO_LATE
from iotcenter.storage.answers import RawColumns
from iotcenter.storage.retention import Earliest, Keep
from iotcenter.wire.messages import Ack, Hello, Refusal, Report
from tests.center.support import HELLO, NOW, CenterTestCase, TestLink, report


class AccountTests(CenterTestCase):
    """What becomes of a device's readings is counted, and outlives the server's end."""

    async def send(self, report: Report, hello: Hello = HELLO) -> None:
        """A report comes in, and is acknowledged."""
        link, attachment = self.join(hello)
        acknowledged = link.next(Ack)
        attachment.received(report)
        await acknowledged

    async def test_account(self) -> None:
        """Received, duplicates, late, lost and refused: in memory, and on disk."""
        late = tuple(Reading("temperature", 1.0, NOW - 3600 + second) for second in range(3))
        await self.send(Report(1, 1, late, NOW), replace(HELLO, lost=5))
        await self.send(Report(1, 3, (late[2], Reading("temperature", 1.0, NOW)), NOW))
        await self.send(Report(1, 5, (Reading("not a name", 1.0, NOW),), NOW))
        await self.store.readings.settled()
        for _ in range(2):
            account = self.center.devices.get("kitchen-pi").account
            self.assertEqual(
                (account.received, account.duplicates, account.late, account.lost, account.refused), (4, 1, 3, 5, 1)
            )
            self.center.stop()
            await self.store.close()
            await self.reopen()

    async def test_too_late(self) -> None:
        """What is older than readings are kept is refused with the acknowledgement, and counted; so it is when less is
        kept from now on, and after a restart."""
        old, older = NOW - 5 * 86400, NOW - 20 * 86400
        link, attachment = self.join()
        self.store.start(Keep(raw=10), self.clock.seconds)
        await self.told_earliest()
        await self.refused(link, attachment, report(1, 1.0, 2.0, time=old), ())
        await self.refused(link, attachment, report(3, 3.0, time=older), (3,))
        await self.store.readings.settled()
        await self.store.readings.set_keep(self.device, "temperature", Keep(raw=2))
        self.store.keep_house()
        await self.told_earliest()
        await self.refused(link, attachment, report(4, 1.0, 2.0, time=old), (4, 5))
        await self.refused(link, attachment, report(6, 3.0), ())
        await self.store.readings.settled()
        account = self.center.devices.get("kitchen-pi").account
        self.assertEqual((account.received, account.refused), (3, 3))
        self.center.stop()
        await self.store.close()
        await self.reopen()
        await self.refused(*self.join(), report(7, 1.0, time=old), (7,))

    async def refused(self, link: TestLink, attachment: DeviceLink, sent: Report, expected: tuple[int, ...]) -> None:
        """A report comes in, of which those numbers are refused for being too late."""
        acknowledged = link.next(Ack)
        attachment.received(sent)
        self.assertEqual((await acknowledged).refused, tuple(Refusal(number, TOO_LATE) for number in expected))

    async def told_earliest(self) -> None:
        """The next time that less is kept."""
        told: Deferred[None] = Deferred()
        refuse_older = self.store.readings.refuse_older

        def tell(earliest: Earliest) -> None:
            self.store.readings.refuse_older = refuse_older
            refuse_older(earliest)
            told.callback(None)

        self.store.readings.refuse_older = tell
        await told

    async def reopen(self) -> None:
        """Another server on the same directory."""
        self.store = type(self.store)(self.directory, self.link_reactor())
        self.store.open()
        await self.open_center()

    def link_reactor(self) -> object:
        """Twisted's reactor, which no module may import while it is loaded."""
        from twisted.internet import reactor

        return reactor

    async def test_told_while_connected(self) -> None:
        """A device that loses readings while it is connected says so in another Hello."""
        _, attachment = self.join()
        attachment.received(replace(HELLO, lost=3))
        attachment.received(replace(HELLO, lost=7))
        self.assertEqual(self.center.devices.get("kitchen-pi").account.lost, 7)

    def test_count_begins_anew(self) -> None:
        """A device that was set up anew counts from 0 again; what was lost before stays counted."""
        lost = Lost()
        self.assertEqual(
            [lost.say(told) for told in (0, 5, 5, 2, 3, 0, 4)], [False, True, False, True, True, True, True]
        )
        self.assertEqual(lost.total, 5 + 2 + 1 + 4)

    async def test_without_a_clock(self) -> None:
        """Ages are placed on the server's clock before anything is stored, and the device shows that it has none."""
        self.assertIs(self.center.devices.get("kitchen-pi").clock, ClockState.UNKNOWN)
        await self.send(Report(1, 1, (Reading("temperature", 1.0, -12.5),)))
        columns = await self.center.history.query("kitchen-pi", "temperature", NOW - 60, NOW + 1, 0)
        assert isinstance(columns, RawColumns)
        self.assertEqual(columns.t, [NOW - 12.5])
        self.assertIs(self.center.devices.get("kitchen-pi").clock, ClockState.NONE)

    async def test_order_after_restart(self) -> None:
        """The order of a boot without a clock outlives the server's end."""
        await self.send(Report(1, 1, (Reading("temperature", 1.0, 0.0),)))
        self.center.stop()
        await self.store.close()
        await self.reopen()
        self.clock.advance(0.5)
        await self.send(Report(1, 2, (Reading("temperature", 2.0, -1.0),)))
        columns = await self.center.history.query("kitchen-pi", "temperature", NOW - 60, NOW + 1, 0)
        assert isinstance(columns, RawColumns)
        self.assertEqual((columns.t, columns.v), ([NOW, NOW], [1.0, 2.0]))

    async def test_wrong_clock(self) -> None:
        """A device that is hours behind shows by how much, and its readings stand where they belong."""
        await self.send(Report(1, 1, (Reading("temperature", 1.0, NOW - 10805),), NOW - 10800))
        device = self.center.devices.get("kitchen-pi")
        self.assertEqual((device.clock, device.clock_offset), (ClockState.WRONG, -10800.0))
        self.assertEqual(device.series[0].time, NOW - 5)
        self.assertEqual(device.account.late, 0)
