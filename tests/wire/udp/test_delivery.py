"""Both ends through every kind of network, on a virtual clock."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from iotcenter.wire.messages import Command
from iotcenter.wire.udp.content import Kind
from iotcenter.wire.udp.delivery import FORGOTTEN, MESSAGE_LIFETIME, REMEMBERED, Inbox
from iotcenter.wire.udp.device import Arrived
from iotcenter.wire.udp.events import Cold, Undelivered
from iotcenter.wire.udp.handshake import Flag
from iotcenter.wire.udp.keys import DeviceKeys
from iotcenter.wire.udp.records import RecordType
from tests.wire.udp.network import UNIX, Weather, World

STORM = Weather(loss=0.2, doubled=0.05, delay=0.03, spread=0.2, port_moves_after=7)


class DeliveryTests(SynchronousTestCase):
    """What arrives, and how often."""

    def test_storm(self) -> None:
        """With a fifth lost, doubles, another order and ports that move, all is stored once and takes effect once."""
        world = World(4, STORM)
        devices = [world.add() for _ in range(20)]
        for device in devices:
            for number in range(50):
                world.at(number * 2.0, lambda d=device, n=number: d.report(n + 1))  # type: ignore[misc]
            for number in range(5):
                world.at(20.0 + 12.0 * number, lambda d=device, n=number: self.give(world, d.id, n + 1))  # type: ignore[misc]
        world.run(3600.0, lambda: len(world.server.stored) == 1000 and all(len(d.effects) == 5 for d in devices))
        self.assertEqual(len(world.server.stored), 1000)
        self.assertGreater(world.server.repeated, 0)
        for device in devices:
            self.assertEqual(device.effects, dict.fromkeys(range(1, 6), 1))

    def give(self, world: World, device: bytes, id: int) -> None:
        """Give a command, as often as it takes: a device that is not there gets it when it returns."""
        session = world.server.endpoint.session_of(device)
        if session is not None and not session.cold:
            world.server.command(device, Command(id, "relay", {"on": True}))
        known = next(each for each in world.devices if each.id == device)
        if not known.effects[id]:
            world.at(world.now + 60.0, lambda: None if known.effects[id] else self.give(world, device, id))

    def test_server_restarts(self) -> None:
        """A server that starts anew costs a device one handshake, and no reading."""
        world = World()
        device = world.add()
        device.report(1)
        world.run(5.0)
        world.server.start()
        device.report(2)
        world.run(30.0)
        self.assertEqual(device.connections, 2)
        self.assertEqual(sorted(sequence for _, _, sequence in world.server.stored), [1, 2])
        self.assertEqual(device.answered, [("report", 1), ("report", 2)])

    def test_server_restarts_unknown_address(self) -> None:
        """Where the address is another by then, the device finds out by itself; strangers are told nothing."""
        world = World()
        device = world.add()
        device.report(1)
        world.run(5.0)
        world.server.start()
        device.rebind()
        told = len(world.server.replies)
        device.report(2)
        world.run(60.0)
        self.assertEqual(len(world.server.replies), told)
        world.run(600.0)
        self.assertEqual(device.connections, 2)
        self.assertEqual(len(world.server.stored), 2)

    def test_blocks(self) -> None:
        """A message that no datagram holds arrives in blocks, and is acknowledged when all of it is stored."""
        world = World(2, Weather(loss=0.2, doubled=0.1))
        device = world.add()
        device.report(1, count=900)
        world.run(600.0)
        self.assertEqual(len(world.server.stored), 900)
        self.assertEqual(device.answered, [("report", 1)])
        self.assertTrue(all(len(datagram) <= 1200 for datagram, _ in device.captured))

    def test_small_device(self) -> None:
        """A device gets nothing that is longer than it takes: a command that is comes in blocks."""
        world = World()
        device = world.add(max_rx=192)
        device.report(1)
        world.run(5.0)
        world.server.command(device.id, Command(7, "show", {"text": "x" * 1000}))
        world.run(60.0)
        self.assertEqual(device.commands, [(7, "show", {"text": "x" * 1000})])
        self.assertTrue(all(len(datagram) <= 192 for datagram, _ in world.server.replies))

    def test_disk_full(self) -> None:
        """What is not stored is not acknowledged, and comes again until it is."""
        world = World()
        world.server.storing = False
        device = world.add()
        device.report(1)
        world.run(20.0)
        self.assertEqual(device.answered, [])
        world.server.storing = True
        world.run(600.0)
        self.assertEqual(device.answered, [("report", 1)])
        self.assertEqual(len(world.server.stored), 1)

    def test_time(self) -> None:
        """An acknowledgement tells the time, so that a chip needs no clock."""
        world = World()
        device = world.add()
        device.report(1)
        world.run(5.0)
        self.assertAlmostEqual(device.events[-1].time, UNIX, delta=2)  # type: ignore[union-attr]

    def test_retransmission_is_sealed_anew(self) -> None:
        """No two datagrams of a device are the same, so that a repetition from a new port is no replay."""
        world = World(3, Weather(loss=0.5))
        device = world.add()
        for number in range(10):
            device.report(number + 1)
        world.run(3600.0)
        records = [datagram for datagram, _ in device.captured if datagram[0] != RecordType.HELLO]
        self.assertGreater(len(records), 15)
        self.assertEqual(len(records), len(set(records)))


class InboxTests(SynchronousTestCase):
    """Which messages count as new."""

    def test_repeated(self) -> None:
        """A message that comes again is not new, and is answered as it was; one that nobody could take is."""
        inbox = Inbox()
        self.assertEqual([inbox.take(one, 0.0) for one in (1, 2, 3, 4, 1)], [True, True, True, True, False])
        inbox.answered(1, b"")
        inbox.answered(2, b"no")
        inbox.forget(3)
        self.assertEqual([inbox.answer(one) for one in (1, 2, 3, 4, 5)], [b"", b"no", None, None, None])
        self.assertTrue(inbox.take(3, 1.0))

    def test_lifetime(self) -> None:
        """A message id may come again after its lifetime, to the second, whatever came since."""
        inbox = Inbox()
        for second in range(300):
            self.assertTrue(inbox.take(second, float(second)))
        self.assertFalse(inbox.take(60, MESSAGE_LIFETIME + 59.9))
        self.assertTrue(inbox.take(60, MESSAGE_LIFETIME + 60.0))
        self.assertEqual(inbox.answer(299), None)

    def test_bounded(self) -> None:
        """Of a device that sends like mad the newest ids are remembered, and no more than is said."""
        inbox = Inbox()
        for number in range(3 * REMEMBERED):
            self.assertTrue(inbox.take(number, 0.0))
            inbox.answered(number, b"")
        remembered = [number for number in range(3 * REMEMBERED) if inbox.answer(number) is not None]
        self.assertTrue(REMEMBERED - FORGOTTEN <= len(remembered) <= REMEMBERED)
        self.assertEqual(remembered[-1], 3 * REMEMBERED - 1)


class CommandTests(SynchronousTestCase):
    """How commands find a device that is there, one that sleeps, and one that is gone."""

    def test_awake(self) -> None:
        """One after the other, at once."""
        world = World()
        device = world.add()
        device.report(1)
        world.run(1.0)
        for number in range(3):
            world.server.command(device.id, Command(number + 1, "relay", {}))
        world.run(1.0)
        self.assertEqual([id for id, _, _ in device.commands], [1, 2, 3])
        self.assertEqual([id for _, id in world.server.delivered], [1, 2, 3])
        self.assertEqual([result.id for _, result in world.server.results], [1, 2, 3])

    def test_gone(self) -> None:
        """After five tries the device counts as out of reach, and is left in peace until its next record."""
        world = World()
        device = world.add()
        device.report(1)
        world.run(1.0)
        world.by_address.clear()
        before = len(world.server.replies)
        world.server.command(device.id, Command(1, "relay", {}))
        world.run(300.0)
        self.assertEqual(len(world.server.replies) - before, 5)
        self.assertIsInstance(world.server.events[-1], Cold)
        session = world.server.endpoint.session_of(device.id)
        assert session is not None
        self.assertTrue(session.cold)
        world.by_address[device.address] = device
        device.report(2)
        world.run(10.0)
        self.assertFalse(session.cold)
        self.assertEqual(device.connections, 1)

    def test_sleepy(self) -> None:
        """A sleeper is sent nothing by itself; when it polls, what waits follows on the answer, which says so."""
        world = World()
        device = world.add(Flag.SLEEPY)
        device.report(1)
        world.run(5.0)
        world.server.backlog[device.id] = [Command(1, "relay", {}), Command(2, "relay", {})]
        before = len(world.server.replies)
        world.run(100.0)
        self.assertEqual(len(world.server.replies), before)
        device.do(lambda: device.session.put(Kind.POLL, b"", "poll"))
        world.run(5.0)
        self.assertEqual([id for id, _, _ in device.commands], [1, 2])
        answer = next(event for event in device.events if getattr(event, "token", None) == "poll")
        self.assertTrue(answer.more)  # type: ignore[union-attr]

    def test_sleepy_misses(self) -> None:
        """What a sleeper does not take within its second is given back."""
        world = World()
        device = world.add(Flag.SLEEPY)
        device.report(1)
        world.run(5.0)
        world.server.backlog[device.id] = [Command(1, "relay", {})]
        device.do(lambda: device.session.put(Kind.POLL, b"", "poll"))
        world.by_address.clear()
        world.run(5.0)
        self.assertIn(Undelivered((1,)), world.server.events)


class AddressTests(SynchronousTestCase):
    """A device whose address changes."""

    def test_rebinding(self) -> None:
        """The session goes on from the new port, without a handshake, and the next command goes there."""
        world = World(5)
        device = world.add()
        for number in range(20):
            device.report(number + 1)
            world.run(2.0)
            device.rebind()
            device.report(100 + number)
            world.run(2.0)
            world.server.command(device.id, Command(number + 1, "relay", {}))
            world.run(2.0)
        self.assertEqual((device.connections, world.server.begun), (1, 1))
        self.assertEqual(len(device.commands), 20)
        self.assertEqual(len(world.server.stored), 40)

    def test_not_sent_to_an_address_that_did_not_answer(self) -> None:
        """After a change of address only acknowledgements, no larger than what they answer, go there."""
        world = World()
        device = world.add()
        device.report(1)
        world.run(2.0)
        session = world.server.endpoint.session_of(device.id)
        assert session is not None
        victim = ("192.0.2.1", 53)
        device.session.put(Kind.REPORT, b"\x93\x01\x02\x91\x92\xa1t\x01", "r")
        (record,) = device.session.datagrams(world.now)
        world.server.receive(record, victim)
        world.run(1.0)
        world.server.command(device.id, Command(1, "relay", {"text": "x" * 500}))
        world.run(100.0)
        there = [datagram for datagram, address in world.server.replies if address == victim]
        self.assertEqual(len(there), 1)
        self.assertLessEqual(len(there[0]), len(record))
        self.assertEqual(device.commands, [])

    def test_keepalive_learns(self) -> None:
        """The interval grows while the port stays, halves when it changes, and the device is told."""
        world = World(6)
        device = world.add()
        device.report(1)
        world.run(1.0)
        session = world.server.endpoint.session_of(device.id)
        assert session is not None
        session.configure("kitchen")
        for _ in range(8):
            world.run(session.interval)
            device.do(lambda: device.session.put(Kind.PING, b"", "ping"))
            world.run(0.5)
        self.assertEqual(session.interval, 110.0)
        told = [event.body for event in device.events if isinstance(event, Arrived)]
        self.assertEqual(told[-1], b"\x92\x6e\xa7kitchen")
        device.rebind()
        device.do(lambda: device.session.put(Kind.PING, b"", "ping"))
        world.run(5.0)
        self.assertEqual(session.interval, 55.0)


class NonceTests(SynchronousTestCase):
    """Freshness without a random source."""

    def test_fresh_nonce(self) -> None:
        """A nonce depends on the key and on the seed, and tells neither."""
        keys = DeviceKeys(Random(1).randbytes(32))
        self.assertNotEqual(keys.fresh_nonce(b"\x01"), keys.fresh_nonce(b"\x02"))
        self.assertEqual(len(keys.fresh_nonce(b"\x01")), 16)
