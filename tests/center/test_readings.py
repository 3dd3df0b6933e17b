"""A reading's way: to the disk, to the acknowledgement, to whoever watches."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.readings import merged
from iotcenter.center.subscribers import LiveReading, ReadingsEvent
from iotcenter.model import Reading
from iotcenter.storage import inbox
from iotcenter.storage.answers import RawColumns
from iotcenter.storage.blocks import Record
from iotcenter.storage.entries import Entry, entries
from iotcenter.storage.journal import Journal
from iotcenter.storage.store import INBOX
from iotcenter.wire.codec import BadReading, DamagedReport
from iotcenter.wire.framing import MAX_FRAME, frame
from iotcenter.wire.messages import Ack, Busy, Refusal, Report
from tests.center.support import HELLO, NOW, CenterTestCase, TestLink, report


class ReadingsTests(CenterTestCase):
    """Reports come in, and acknowledgements go out."""

    async def test_acknowledged_means_on_disk(self) -> None:
        """When the acknowledgement goes out, the readings are in the inbox, for whoever looks there."""
        link, attachment = self.join()
        acknowledged = link.next(Ack)
        attachment.received(report(1, 20.5, 21.0))
        self.assertEqual(link.of(Ack), [])
        self.assertEqual(await acknowledged, Ack(1, 1, 2))
        journal = Journal(self.directory / INBOX)
        journal.open(0)
        found = [entry for record in journal.view().after(0) if isinstance(record, Record) for entry in entries(record)]
        self.assertEqual(found, [Entry(self.device, report(1, 20.5, 21.0), NOW)])

    async def test_a_repeated_report_changes_nothing_and_is_acknowledged(self) -> None:
        """A device that did not hear the acknowledgement sends again; nothing is doubled, and it is counted."""
        link, attachment = self.join()
        for _ in range(3):
            acknowledged = link.next(Ack)
            attachment.received(report(1, 20.5, 21.0))
            await acknowledged
        await self.store.readings.settled()
        account = self.center.devices.get("kitchen-pi").account
        self.assertEqual((account.received, account.duplicates), (2, 4))
        columns = await self.center.history.query("kitchen-pi", "temperature", NOW - 10, NOW + 10, 0)
        assert isinstance(columns, RawColumns)
        self.assertEqual(list(columns.v), [20.5, 21.0])

    async def test_reports_of_one_commit_are_acknowledged_in_one_message(self) -> None:
        """What follows on one another is one range."""
        link, attachment = self.join()
        acknowledged = link.next(Ack)
        for sequence in range(1, 21):
            attachment.received(report(sequence, float(sequence)))
        await acknowledged
        self.assertEqual(link.of(Ack), [Ack(1, 1, 20)])

    async def test_a_bad_reading_is_refused_with_its_reason_and_the_rest_is_kept(self) -> None:
        """The acknowledgement covers the whole report and names what was refused."""
        link, attachment = self.join()
        acknowledged = link.next(Ack)
        good = ((0, Reading("temperature", 1.0, NOW)), (2, Reading("temperature", 3.0, NOW)))
        attachment.received(DamagedReport(1, 10, 3, 0.0, good, (BadReading(1, "not a number"),)))
        ack = await acknowledged
        await self.store.readings.settled()
        self.assertEqual((ack.sequence, ack.count), (10, 3))
        self.assertEqual(ack.refused, (Refusal(11, "not a number"),))
        self.assertEqual(self.center.devices.get("kitchen-pi").account.received, 2)

    async def test_what_cannot_be_stored_is_not_acknowledged(self) -> None:
        """The device is asked to keep it and to send it again."""
        link, attachment = self.join()
        await self.store.close()
        busy = link.next(Busy)
        attachment.received(report(1, 20.5))
        self.assertEqual((await busy).sequence, 1)
        self.assertEqual(link.of(Ack), [])

    async def test_a_device_that_reports_like_mad_leaves_room_for_the_others(self) -> None:
        """Where the inbox is crowded, the one that much of it is of has to wait; the others are acknowledged."""
        self.patch(inbox, "CROWDED", 0)
        self.patch(inbox, "MUCH", 4096)
        link, mad = self.join()
        for sequence in range(1, 60):
            mad.received(report(sequence, "x" * 200))
            await self.store.readings.written()
        self.assertGreater(len(link.of(Busy)), 30)
        other = TestLink()
        calm = self.center.attach((await self.accounts.add("garden-pi", "tls", "ann")).id, other, HELLO)
        acknowledged = other.next(Ack)
        calm.received(report(1, 1.0))
        self.assertEqual(await acknowledged, Ack(1, 1, 1))

    async def test_a_device_with_much_in_flight_leaves_room_for_the_others(self) -> None:
        """While the disk holds up a commit, a device that sends on fills its share of what may wait, and no more."""
        self.patch(inbox, "MOST_WAITING", 40_000)
        self.patch(inbox, "CROWDED_WAITING", 30_000)
        self.patch(inbox, "MUCH_WAITING", 10_000)
        link, mad = self.join()
        other = TestLink()
        calm = self.center.attach((await self.accounts.add("garden-pi", "tls", "ann")).id, other, HELLO)
        acknowledged = other.next(Ack)
        for sequence in range(1, 300):  # in one turn of the reactor, so that nothing is written meanwhile
            mad.received(report(sequence, "x" * 200))
        self.assertGreater(len(link.of(Busy)), 100)
        calm.received(report(1, 1.0))
        self.assertEqual(other.of(Busy), [])
        self.assertEqual(await acknowledged, Ack(1, 1, 1))

    async def test_what_is_stored_while_the_server_stops_is_told_to_nobody(self) -> None:
        """And it leaves nothing behind."""
        _, attachment = self.join()
        attachment.received(report(1, 20.5))
        self.center.stop()
        await self.store.readings.written()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_newest_values_are_told_once_a_second(self) -> None:
        """Watchers get each changed series once, with its newest value, whatever order they came in."""
        link, attachment = self.join()
        acknowledged = link.next(Ack)
        attachment.received(report(1, 1.0, 2.0, 3.0))
        attachment.received(Report(1, 4, (Reading("temperature", -9.0, NOW - 60), Reading("door", "open", NOW))))
        await acknowledged
        self.assertEqual(self.told(ReadingsEvent), [])
        self.clock.advance(1)
        [event] = self.told(ReadingsEvent)
        self.assertEqual(
            event.readings,
            (
                LiveReading("kitchen-pi", "temperature", 3.0, NOW + 2),
                LiveReading("kitchen-pi", "door", "open", NOW),
            ),
        )
        values = {series.name: series.value for series in self.center.devices.get("kitchen-pi").series}
        self.assertEqual(values, {"temperature": 3.0, "door": "open"})

    async def test_values_and_account_outlive_a_restart(self) -> None:
        """A server that starts again shows what it knew."""
        link, attachment = self.join()
        acknowledged = link.next(Ack)
        attachment.received(report(1, 20.5, 21.0))
        await acknowledged
        await self.store.readings.settled()
        before = self.center.devices.get("kitchen-pi")
        attachment.detached("restart")
        self.center.stop()
        await self.open_center()
        after = self.center.devices.get("kitchen-pi")
        self.assertEqual(
            (after.series, after.account, after.commands), (before.series, before.account, before.commands)
        )
        self.assertEqual(after.last_seen, before.last_seen)


class MergedTests(SynchronousTestCase):
    """Acknowledgements that touch become one."""

    def test_ranges(self) -> None:
        """Only what follows on one another within one boot is merged."""
        acks = [Ack(1, 1, 2), Ack(1, 3, 1), Ack(1, 5, 1), Ack(2, 6, 1), Ack(2, 7, 3)]
        self.assertEqual(merged(acks), [Ack(1, 1, 3), Ack(1, 5, 1), Ack(2, 6, 4)])
        self.assertEqual(merged(acks[:1]), acks[:1])

    def test_refusals(self) -> None:
        """Those with refusals stay apart, so that no message outgrows a frame, however much one commit refuses."""
        refused = tuple(Refusal(sequence, "x" * 60) for sequence in range(1000))
        acks = [Ack(1, 1 + 1000 * index, 1000, refused) for index in range(40)]
        for ack in merged([*acks, Ack(1, 40_001, 1), Ack(1, 40_002, 1)]):
            self.assertLess(len(frame(ack)), MAX_FRAME)
        self.assertEqual(len(merged([*acks, Ack(1, 40_001, 1), Ack(1, 40_002, 1)])), 41)
