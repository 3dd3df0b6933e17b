"""Devices over version 1: the vectors of an original sketch, and all that can be done to its packets."""

from __future__ import annotations

import hmac
import json

from iotcenter.model import CommandState
from iotcenter.storage.events import EventFilter
from iotcenter.transports.udp import UdpSettings
from iotcenter.wire.udp import version1
from iotcenter.wire.udp.version1 import Packet, PacketType, derived_key
from tests.processes import until
from tests.transports.udp_case import Socket, UdpTestCase
from tests.wire.udp.test_hostile import flipped
from tests.wire.udp.vectors import PSK, V1_DEVICE, V1_FIRST, V1_SECOND

DEVICE = V1_DEVICE.hex()
NAME = f"device-{DEVICE[:8]}"


class Version1Tests(UdpTestCase):
    """A sketch of IotCenter 1."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Take the sketch's device in."""
        await super().setUp()
        await self.accounts.take_in(DEVICE, PSK)
        self.sketch = self.socket()

    def packet(self, counter: int, payload: dict[str, object], key: bytes = PSK, device: bytes = V1_DEVICE) -> bytes:
        """A packet of the sketch."""
        text = json.dumps(payload).encode()
        return Packet(PacketType.FROM_DEVICE, device, counter, 0, text).datagram(key)

    async def answer(self, socket: Socket) -> tuple[Packet, dict[str, object]]:
        """The next packet that comes from the server."""
        await until(self.reactor, lambda: socket.got, lambda: f"no answer; {self.lines} {self.refused}")
        datagram = socket.got.pop(0)
        self.assertTrue(version1.is_authentic(datagram, PSK))
        packet = version1.open_packet(datagram, PSK)
        self.assertEqual((packet.type, datagram[37]), (PacketType.FROM_SERVER, 1))
        return packet, json.loads(packet.text)

    async def test_vectors(self) -> None:
        """They are taken once, and answered when they are on disk."""
        self.sketch.send(V1_FIRST)
        packet, answer = await self.answer(self.sketch)
        self.assertEqual((packet.counter, packet.answers, answer), (1, 1, {"ack": ""}))
        self.sketch.send(V1_SECOND)
        packet, answer = await self.answer(self.sketch)
        self.assertEqual((packet.counter, packet.answers, answer), (2, 4294967295, {"ack": ""}))
        self.assertEqual(await self.stored(NAME), 3)
        shown = self.center.devices.get(NAME)
        self.assertEqual((shown.transport, shown.state), ("udp", "online"))
        for datagram in (V1_FIRST, V1_SECOND):
            self.sketch.send(datagram)
        await self.handled(2)
        self.assertEqual((self.sketch.got, await self.stored(NAME)), ([], 3))

    async def test_hostile(self) -> None:
        """Reflected, damaged, truncated, of another type or version: nothing changes, and nothing is answered."""
        self.sketch.send(V1_FIRST)
        await until(self.reactor, lambda: self.sketch.got, "no answer")
        reflected = self.sketch.got.pop()
        stranger = self.socket()
        bad = [*flipped(V1_SECOND), *(V1_SECOND[:length] for length in range(1, len(V1_SECOND))), reflected]
        for place, value in ((36, 2), (36, 0), (37, 2), (37, 0), (38, 1)):
            signed = bytearray(V1_SECOND[36:])
            signed[place - 36] = value
            bad.append(b"IOT\0" + hmac.digest(PSK, bytes(signed), "sha256") + signed)
        for number, datagram in enumerate(bad):
            stranger.send(datagram)
            if number % 100 == 99:
                await self.handled(number)
        await self.handled(len(bad) - 8)  # with a bit of its mark turned over, a packet may be version 2's or nobody's
        self.assertEqual((stranger.got, await self.stored(NAME)), ([], 1))
        self.assertEqual(self.center.devices.get(NAME).address, "127.0.0.1")
        self.sketch.send(V1_SECOND)
        await self.answer(self.sketch)

    async def test_restart(self) -> None:
        """Counters outlive the server."""
        self.sketch.send(V1_FIRST)
        await self.answer(self.sketch)
        await self.restart()
        self.sketch.send(V1_FIRST)
        await self.handled(1)
        self.sketch.send(self.packet(2, {"values": {"t1": 1}, "mid": 7}))
        packet, answer = await self.answer(self.sketch)
        self.assertEqual((packet.counter, answer), (2, {"ack": 7}))
        self.assertEqual(await self.stored(NAME), 2)

    async def test_counter_is_reset(self) -> None:
        """After its EEPROM was wiped a sketch is let in again when its owner says so."""
        self.sketch.send(V1_SECOND)
        await self.answer(self.sketch)
        fresh = self.packet(0, {"values": {"t1": 1}})
        self.sketch.send(fresh)
        await self.handled(1)
        await self.accounts.udp.reset_counter(DEVICE)
        self.sketch.send(fresh)
        packet, _ = await self.answer(self.sketch)
        self.assertEqual(packet.answers, 0)
        self.sketch.send(fresh)
        await self.handled(2)

    async def test_repetition(self) -> None:
        """What a sketch sends again since it was not answered is acknowledged, and stored once."""
        for counter in (1, 2):
            self.sketch.send(self.packet(counter, {"values": {"t1": 5}, "mid": "a"}))
            self.assertEqual((await self.answer(self.sketch))[1], {"ack": "a"})
        self.assertEqual(await self.stored(NAME), 1)

    async def test_number_that_nothing_can_hold(self) -> None:
        """A packet with one is named in the log; sent again it is not acknowledged, since nothing of it was stored."""
        for counter in (1, 2):
            self.sketch.send(self.packet(counter, {"values": {"t1": 5, "t2": 10**30}, "mid": "a"}))
        await until(self.reactor, lambda: len(self.lines) >= 2, lambda: self.lines)
        self.assertIn("a value is out of bounds", self.lines[-1])
        self.assertEqual((self.sketch.got, self.center.devices.get(NAME).series), ([], ()))

    async def test_log(self) -> None:
        """A line of log is kept."""
        self.sketch.send(self.packet(1, {"log": "hello", "mid": 1}))
        await self.answer(self.sketch)
        (line,) = await self.center.logs.recent(NAME)
        self.assertEqual(line.text, "hello")

    async def test_command(self) -> None:
        """A command goes to it, with an ever higher counter; version 1 cannot say what came of it."""
        self.sketch.send(V1_FIRST)
        await self.answer(self.sketch)
        command = await self.center.commands.send(NAME, "relay", {"on": True}, "ann", timeout=10.0)
        self.assertEqual(command.state, CommandState.DONE)
        packet, said = await self.answer(self.sketch)
        self.assertEqual((packet.counter, packet.answers), (2, 1))
        self.assertEqual(said, {"command": "relay", "on": True})

    async def test_heartbeat(self) -> None:
        """A heartbeat is not answered, and proves nothing."""
        self.sketch.send(version1.HEARTBEAT)
        self.sketch.send(V1_FIRST[:80])
        await self.handled(1)
        self.assertEqual((self.sketch.got, self.center.devices.get(NAME).state), ([], "offline"))

    async def test_device_that_has_proven_version_2(self) -> None:
        """Once a device has used version 2, version 1 is refused, its owner is told, and may allow it again."""
        device = await self.add("chip", version1=True)
        device.open()
        await device.report(1)
        id = self.center.devices.named("chip").id
        entry = self.accounts.udp.find(bytes.fromhex(id))
        assert entry is not None
        self.sketch.send(self.packet(5, {"values": {"t": 1}}, entry.key, bytes.fromhex(id)))
        await self.handled(1)
        self.assertEqual((self.sketch.got, await self.stored("chip")), ([], 1))
        lines = await until(self.reactor, lambda: self.lines_of("chip"), "its log says nothing")
        self.assertTrue(any("Refused a packet of version 1" in line for line in lines), lines)
        events = await self.center.events.recent(wanted=EventFilter(kind="device.warned"))
        self.assertIn("Refused a packet of version 1", events[0].text)
        await self.accounts.udp.allow_version1(id, True)
        self.sketch.send(self.packet(6, {"values": {"t": 1}}, entry.key, bytes.fromhex(id)))
        await until(self.reactor, lambda: self.sketch.got, "no answer")

    async def lines_of(self, name: str) -> list[str]:
        """The log of a device, once it has two lines."""
        lines = [line.text for line in await self.center.logs.recent(name)]
        return lines if len(lines) >= 2 else []

    async def test_master_key(self) -> None:
        """With the master key of an old installation all its devices are let in, and nobody else."""
        master, device = bytes(range(100, 132)), bytes(range(50, 66))
        packet = self.packet(9, {"values": {"t": 1}}, derived_key(master, device), device)
        self.sketch.send(packet)
        await self.handled(1)
        await self.accounts.udp.set_master(master)
        self.sketch.send(self.packet(9, {"values": {"t": 1}}, PSK, device))
        await self.handled(2)
        self.assertEqual(len(self.center.devices.all()), 1)
        self.sketch.send(packet)
        await until(self.reactor, lambda: self.sketch.got, "no answer")
        name = f"device-{device.hex()[:8]}"
        self.assertEqual(await self.stored(name), 1)
        await self.center.devices.revoke(name, "ann")
        self.sketch.send(self.packet(10, {"values": {"t": 1}}, derived_key(master, device), device))
        await self.handled(3)
        self.assertTrue(self.center.devices.get(name).revoked)


class OffTests(UdpTestCase):
    """A server that takes version 2 alone."""

    settings = UdpSettings(listen="127.0.0.1:0", v1=False)

    async def test_off(self) -> None:
        """Packets of version 1 are dropped."""
        await self.accounts.take_in(DEVICE, PSK)
        sketch = self.socket()
        sketch.send(V1_FIRST)
        await self.handled(1)
        self.assertEqual(sketch.got, [])
