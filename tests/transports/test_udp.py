"""Devices over version 2, on real sockets."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from twisted.internet.task import deferLater

from iotcenter.identity.enrollment import Enrollments
from iotcenter.interfaces import Traffic
from iotcenter.model import CommandState
from iotcenter.transports.udp import UdpSettings
from iotcenter.wire.messages import Renew
from iotcenter.wire.token import parse_token
from iotcenter.wire.udp.bodies import body_of, message_of
from iotcenter.wire.udp.content import Kind
from iotcenter.wire.udp.handshake import Flag, parse_open
from iotcenter.wire.udp.records import RecordType
from tests.processes import until
from tests.transports.support import new_key, request_for
from tests.transports.udp_case import Socket, UdpTestCase
from tests.udp_device import UdpDevice

REPLAYED = 34_000
"""Datagrams, three times in one test."""


class LinkTests(UdpTestCase):
    """What a device that behaves can do."""

    async def test_readings(self) -> None:
        """A reading is acknowledged once it is on disk, and the device shows as one over UDP."""
        device = await self.add()
        device.open()
        await device.hello()
        await device.report(1)
        shown = self.center.devices.get("chip")
        self.assertEqual((shown.transport, shown.state, shown.address), ("udp", "online", "127.0.0.1"))
        self.assertEqual([(each.name, each.value) for each in shown.series], [("t", 21.5)])
        self.assertEqual(await self.stored(), 1)

    async def test_traffic(self) -> None:
        """The bytes of its datagrams are counted, each way."""
        device = await self.add()
        device.open()
        await device.hello()
        await device.report(1)
        opening = next(parse_open(each) for each in device.sent if each[0] == RecordType.OPEN)
        assert opening is not None

        def counted() -> bool:
            sent = len(opening.record) + sum(len(each) for each in device.sent if each[0] == RecordType.UP)
            got = sum(len(each) for each in device.received if each[0] == RecordType.DOWN)
            return self.center.devices.traffic("chip") == Traffic(sent, got)

        await until(self.reactor, counted, lambda: str(self.center.devices.traffic("chip")))

    async def test_command(self) -> None:
        """A command is carried out, and its sender gets the result."""
        device = await self.add()
        device.open()
        await device.hello()
        command = await self.center.commands.send("chip", "blink", {}, "ann", timeout=10.0)
        self.assertEqual((command.state, command.result), (CommandState.DONE, "blinked"))
        self.assertEqual(device.effects, {command.id: 1})

    async def test_told_its_name(self) -> None:
        """After its hello a device is told what it is called, and how often to show itself."""
        device = await self.add()
        device.open()
        told = device.arrival(Kind.CONFIGURATION)
        await device.hello()
        self.assertEqual((await told).body, b"\x92\x19\xa4chip")

    async def test_renewal(self) -> None:
        """A Linux board that enrolled has a certificate for its tunnels, and renews it over its link; nobody gets one
        for another key."""
        enrollments = Enrollments(self.store, self.authority, self.reactor.seconds)
        token = parse_token(await enrollments.issue("board", 60, "ann", ("127.0.0.1", 9998)))
        key = new_key()
        enrolled = await self.accounts.enroll(token.secret, request_for(key), "test/1")
        device = UdpDevice(self.reactor, self.server, enrolled.id, enrolled.udp_key.hex())
        self.devices.append(device)
        device.open()
        await device.hello()
        came = device.arrival(Kind.RENEW)
        await device.put(*body_of(Renew(request=request_for(new_key()))), "another key")
        await until(self.reactor, lambda: any("refused" in line for line in self.lines), "it was not refused")
        await device.put(*body_of(Renew(request=request_for(key))), "its own key")
        event = await came
        renewed = x509.load_der_x509_certificate(message_of(Kind.RENEW, event.body).certificate)
        self.assertEqual(renewed.public_key(), key.public_key())

    async def test_sleeper(self) -> None:
        """A command waits for a device that sleeps, and follows on the answer to its next message."""
        device = await self.add(flags=Flag.SLEEPY)
        device.open()
        await device.hello()
        sending = await self.center.commands.send("chip", "blink", {}, "ann")
        self.assertEqual((await self.center.commands.get(sending.id)).state, CommandState.QUEUED)
        came = device.arrival(Kind.COMMAND)
        answer = await device.report(1)
        self.assertTrue(answer.more)
        await came
        await device.answer(("result", sending.id))
        await until(
            self.reactor, lambda: device.effects == {sending.id: 1}, "the sleeper did not carry the command out"
        )

    async def test_restart(self) -> None:
        """A server that is started anew costs a device one handshake, and nothing is lost or doubled."""
        device = await self.add()
        device.open()
        await device.hello()
        await device.report(1)
        await self.restart()
        await device.report(2)
        await device.report(3)
        self.assertEqual(device.connections, 2)
        self.assertEqual(await self.stored(), 3)

    async def test_rebinding(self) -> None:
        """A session goes on from another port, and commands go there."""
        device = await self.add()
        device.open()
        await device.hello()
        for number in range(5):
            await device.rebind()
            await device.report(number + 1)
            command = await self.center.commands.send("chip", "blink", {}, "ann", timeout=10.0)
            self.assertEqual(command.state, CommandState.DONE)
        self.assertEqual((device.connections, await self.stored()), (1, 5))

    async def test_revoked(self) -> None:
        """A device that is revoked is out in the same turn: told so, and not let in again."""
        device = await self.add()
        device.open()
        await device.hello()
        await device.report(1)
        closing = device.arrival(Kind.CLOSE)
        await self.center.devices.revoke("chip", "ann")
        self.assertEqual(self.center.devices.get("chip").state, "offline")
        self.assertIn(b"revoked", (await closing).body)
        counted, said = self.refused, len(device.received)
        device.session.connect(self.reactor.seconds())
        device.report(2)
        await self.handled(counted + 2)
        self.assertEqual(len(device.received), said)
        self.assertEqual(await self.stored(), 1)

    async def test_new_key(self) -> None:
        """A new key lets a revoked device in again, and the old one is worth nothing."""
        device = await self.add()
        await self.center.devices.revoke("chip", "ann")
        known = self.center.devices.named("chip")
        key = await self.accounts.renew_udp(known.id, "ann")
        device.open()
        await self.handled(1)
        again = UdpDevice(self.reactor, self.server, known.id, key.hex())
        self.devices.append(again)
        again.open()
        await again.report(1)
        self.assertEqual(self.center.devices.get("chip").state, "online")

    async def test_goodbye(self) -> None:
        """A device that says goodbye is offline at once, and back with its next record."""
        device = await self.add()
        device.open()
        told = device.arrival(Kind.CONFIGURATION)
        await device.hello()
        await told
        device.session.tell(Kind.CLOSE, b"\x92\xa8stopping\xa3bye")
        device.flush()
        await until(self.reactor, lambda: self.center.devices.get("chip").state == "offline", "it did not go")
        await device.report(1)
        self.assertEqual((self.center.devices.get("chip").state, device.connections), ("online", 1))


class HostileTests(UdpTestCase):
    """What strangers, and those who have recorded a device, can do: nothing."""

    async def test_capture_replayed(self) -> None:
        """All that a device ever sent, sent again from elsewhere a hundred thousand times: nothing is taken, no byte
        is answered, also by a server that was started anew, and within the device's next session."""
        device = await self.add()
        device.open()
        for number in range(50):
            await device.report(number + 1)
        capture = [datagram for datagram in device.sent if datagram[0] != RecordType.HELLO]
        stranger = self.socket()
        await self.replay(stranger, capture)
        await self.restart()
        await self.replay(stranger, capture)
        await device.report(51)
        self.assertEqual(device.connections, 2)
        await self.replay(stranger, capture)
        self.assertEqual((stranger.got, await self.stored()), ([], 51))

    async def replay(self, stranger: Socket, capture: list[bytes]) -> None:
        """Send it again and again, until so many datagrams were dropped; no more at once than the kernel keeps."""
        counted, sent = self.refused, 0
        deadline = self.reactor.seconds() + 60.0
        while sent < REPLAYED:
            for datagram in capture:
                stranger.send(datagram)
            sent += len(capture)
            while self.refused < counted + sent:
                self.assertLess(self.reactor.seconds(), deadline, f"{self.refused - counted} dropped of {sent}")
                await deferLater(self.reactor, 0)
        self.assertEqual(self.refused, counted + sent)

    async def test_rubbish(self) -> None:
        """Rubbish of every length and first byte is not answered, and a device at work notices nothing."""
        device = await self.add()
        device.open()
        await device.report(1)
        stranger = self.socket()
        sent = 0
        for first in (0x00, 0x49, *RecordType):
            for length in (0, 1, 8, 40, 51, 60, 96, 200, 1199, 1300):
                stranger.send(bytes([first]) + bytes(length))
                sent += 1
            if first == 0x49:
                stranger.send(b"IOT\xff")
        await self.handled(sent)
        await device.report(2)
        self.assertEqual((stranger.got, await self.stored()), ([], 2))

    async def test_damaged_message(self) -> None:
        """A device that sends what does not fit is named in the log, and its session goes on."""
        device = await self.add()
        device.open()
        device.session.put(Kind.COMMAND, b"\x90", "nonsense")
        device.flush()
        await until(self.reactor, lambda: self.lines, "nothing was logged")
        self.assertIn("127.0.0.1: a device does not send kind 2", self.lines[-1])

    async def test_fault_within_the_server(self) -> None:
        """A datagram on which the server itself fails is logged, and the port stays open to all others."""
        first, second = await self.add("first"), await self.add("second")
        attach, broken = self.center.attach, self.center.devices.get("first").id

        def fail(device: str, *rest: Any) -> Any:
            if device == broken:
                raise RuntimeError("a fault")
            return attach(device, *rest)

        self.patch(self.center, "attach", fail)
        first.open()
        first.poll()
        await until(self.reactor, lambda: self.lines, "nothing was logged")
        self.assertIn("A datagram of 127.0.0.1 failed", self.lines[-1])
        second.open()
        await second.report(1)
        self.assertEqual(await self.stored("second"), 1)

    async def test_fault_with_a_report(self) -> None:
        """The same holds where it fails on a device that comes back with a report."""
        first, second = await self.add("first"), await self.add("second")
        first.open()
        await first.hello()
        self.center.devices.named("first").attachment.link.look(self.reactor.seconds() + 1000.0)
        patched = self.patch(self.center, "attach", lambda *_: 1 / 0)
        first.report(1)
        await until(self.reactor, lambda: "A link failed" in self.lines, "nothing was logged")
        patched.restore()
        second.open()
        await second.report(1)
        self.assertEqual(await self.stored("second"), 1)

    async def test_link_fails(self) -> None:
        """Where a link could not be made, the device's next try makes it."""
        patched = self.patch(self.accounts, "watch", lambda *_: 1 / 0)
        device = await self.add()
        device.open()
        stored = device.report(1)
        await until(self.reactor, lambda: self.lines, "nothing failed")
        patched.restore()
        await stored
        self.assertEqual((device.connections, await self.stored()), (1, 1))

    async def test_report_fails(self) -> None:
        """A report that fails within the center does not take those with it that came in the same moment."""
        devices = [await self.add(name) for name in ("bad", "good")]
        for device in devices:
            device.open()
            await device.hello()
        bad = self.center.devices.named("bad").timeline
        self.patch(bad, "place", lambda *_: 1 / 0)
        self.service.hold()
        devices[0].report(1)
        stored = devices[1].report(1)
        self.service.take()
        await stored
        self.assertEqual(await self.stored("good"), 1)
        self.assertEqual(self.lines, ["A report failed"])

    async def test_bad_reading(self) -> None:
        """A reading that does not fit is refused in the acknowledgement, and the others are kept."""
        device = await self.add()
        device.open()
        await device.hello()
        answer = await device.put(Kind.REPORT, b"\x93\x01\x01\x93\x92\xa1t\x01\x92\xa1u\xc0\x92\xa1v\x02", "report")
        self.assertEqual([refusal.sequence for refusal in answer.refused], [2])
        self.assertEqual(await self.stored(), 2)

    async def test_secrets_stay_secret(self) -> None:
        """No key stands in the log, nor in the database as it is."""
        device = await self.add()
        device.open()
        await device.report(1)
        (entry,) = self.accounts.udp._keys.values()
        await self.stop()
        kept = b"".join(file.read_bytes() for file in self.directory.glob("iotcenter.db*"))
        self.assertNotIn(entry.key, kept)
        self.assertNotIn(entry.key.hex(), "".join(self.lines))
        await self.start(UdpSettings(listen="127.0.0.1:0"))
