"""What strangers and their floods can do to the registrar, and to the devices that come in by it: nothing."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import ClassVar

from twisted.internet.defer import Deferred

from iotcenter.identity.registrations import WRONG_PASSWORDS
from iotcenter.transports import registrar_log, registrar_ports
from tests.processes import until
from tests.transports.registrar_case import RegistrarTestCase, Wire, code_of
from tests.transports.test_registrar import data, login, logoff, query, register, status


class ForgeryTests(RegistrarTestCase):
    """Who passes for whom."""

    async def test_clear_text_for_a_device_over_tls(self) -> None:
        """What logged in over TLS is not logged off, nor spoken for, in clear text from its address; a heartbeat may
        come so."""
        await self.ask(register("cam"))
        await self.ask(login("cam"))
        for way in ("tcp", "udp"):
            for packet in (logoff("cam"), data("cam", "t=99"), query("cam", "cam")):
                self.assertEqual(await self.code(packet, way), "31")
            self.assertEqual(await self.code(status("cam"), way), "40")
        self.assertEqual(await self.code(logoff("cam")), "80")

    async def test_a_name_that_is_promised(self) -> None:
        """A device takes neither the name of another, nor one that somebody has an enrollment token for."""
        await self.accounts.add("kitchen-pi", "tls", "ann")
        now = self.reactor.seconds()
        await self.store.enrollments.add(b"0" * 32, "attic-pi", "ann", now, now + 60)
        for number, device_id in enumerate(("kitchen-pi", "attic-pi", "Attic Pi"), 1):
            mac, ip = f"00:00:00:00:00:0{number}", f"10.0.0.{number}"
            self.assertEqual(await self.code(register(device_id, mac, ip)), "00")
        names = {device.name for device in self.center.devices.all()}
        self.assertEqual(names, {"kitchen-pi", "kitchen-pi-2", "attic-pi-2", "attic-pi-3"})

    async def test_a_device_that_was_enrolled_since(self) -> None:
        """Once a device has a certificate, its password is worth nothing."""
        await self.ask(register("cam"))
        device = self.center.devices.get("cam").id
        now = self.reactor.seconds()
        await self.store.enrollments.add(b"0" * 32, "cam", "ann", now, now + 60)
        await self.store.enrollments.redeem(b"0" * 32, now, device, "tls", b"k" * 32, now + 60)
        self.assertEqual(await self.code(login("cam")), "31")
        self.assertIn("certificate", self.complaints[-1])

    async def test_gone_before_the_password_was_checked(self) -> None:
        """A connection that is dropped right behind its LOGIN leaves nobody logged in."""
        await self.ask(register("cam"))
        checking: Deferred[bool] = Deferred()
        self.patch(self.passwords, "verify", lambda kept, password: checking)
        wire = await self.in_thread(self.connect, "tcp")
        await self.in_thread(wire.socket.sendall, login("cam") + b"\n")
        await until(self.reactor, lambda: self.registrations._turn.locked, "the password is not looked at")
        wire.socket.close()
        factory = next(one for one in self.service._factories if one.way == "tcp")
        await until(self.reactor, lambda: not factory._open, "the connection still stands")
        checking.callback(True)
        await until(self.reactor, lambda: "its connection was gone" in self.complaints[-1], lambda: self.complaints)


class DroppedTests(RegistrarTestCase):
    """Connections that end without a LOGOFF."""

    async def drop(self, wait: float) -> None:
        """Log in, keep the connection for ``wait`` seconds, and drop it."""
        await self.ask(register("cam"))
        wire = await self.in_thread(self.connect, "tcp")
        self.assertEqual(code_of(await self.in_thread(wire.ask, login("cam") + b"\n")), "70")
        await self.in_thread(time.sleep, wait)  # the length of time is what this is about
        wire.socket.close()
        factory = next(one for one in self.service._factories if one.way == "tcp")
        await until(self.reactor, lambda: not factory._open, "the connection still stands")

    async def test_a_client_that_stays(self) -> None:
        """A client that kept its connection is logged off when that is gone, though it said nothing more on it."""
        self.patch(registrar_ports, "STAYED", 0.05)
        await self.drop(0.1)
        self.assertEqual(await self.code(login("cam"), "tcp"), "70")

    async def test_one_packet(self) -> None:
        """A client that makes a connection for each packet stays logged in, with a newline or without."""
        await self.drop(0.0)
        self.assertEqual(await self.code(status("cam") + b"\n", "tcp"), "40")


class StreamTests(RegistrarTestCase):
    """Packets that come in pieces."""

    async def test_in_two_reads(self) -> None:
        """A packet may come in two pieces, with a newline at its end and without."""
        await self.ask(register("cam"))
        packet = login("cam")

        def ask(wire: Wire, end: bytes) -> bytes:
            wire.socket.sendall(packet[:12])
            time.sleep(0.05)  # so that the pieces are two reads, which is what this is about
            return wire.ask(packet[12:] + end)

        for way in ("tls", "tcp"):
            for end in (b"", b"\n"):
                wire = await self.in_thread(self.connect, way)
                self.assertEqual(code_of(await self.in_thread(ask, wire, end)), "70", (way, end))
                await self.ask(logoff("cam"), way)


class FloodTests(RegistrarTestCase):
    """Packets by the thousand."""

    async def test_malformed_ones(self) -> None:
        """The error log has so many lines a second, and their number for the rest: none is left uncounted."""
        self.patch(registrar_log, "MOST_LINES", 10)
        self.patch(registrar_log, "SECOND", 0.2)
        await self.service.stopService()
        self.service = self.new_service()
        self.service.startService()

        def flood() -> None:
            with socket.socket(type=socket.SOCK_DGRAM) as sock:
                for _ in range(100):
                    sock.sendto(b"HELLO", ("127.0.0.1", self.service.port("udp")))

        await self.in_thread(flood)
        await until(self.reactor, lambda: self.counted() == 100, lambda: self.complaints)
        self.assertLess(len(self.complaints), 60)

    def counted(self) -> int:
        """How many complaints there are, with those that were left out."""
        left_out = [int(line.split()[1]) for line in self.complaints if "left out" in line]
        return sum(left_out) + sum("unknown type" in line for line in self.complaints)

    async def test_one_sender(self) -> None:
        """Of one address only so many datagrams are handled at a time, and others are still answered."""
        self.patch(registrar_ports, "MOST_DATAGRAMS_EACH", 2)
        await self.ask(register("cam"))
        checking: Deferred[bool] = Deferred()
        self.patch(self.passwords, "verify", lambda kept, password: checking)
        wires = [await self.in_thread(self.connect, "udp") for _ in range(3)]
        for wire in wires:
            wire.socket.send(login("cam"))
        await until(self.reactor, lambda: any("too many" in line for line in self.complaints), "none was lost")

        def from_elsewhere() -> bytes:
            with socket.socket(type=socket.SOCK_DGRAM) as sock:
                sock.settimeout(10)
                sock.bind(("127.0.0.2", 0))
                sock.sendto(logoff("cam"), ("127.0.0.1", self.service.port("udp")))
                return sock.recv(1024)

        self.assertEqual(code_of(await self.in_thread(from_elsewhere)), "31")
        checking.callback(True)
        codes = sorted([code_of(await self.in_thread(wire.socket.recv, 1024)) for wire in wires[:2]])
        self.assertEqual(codes, ["31", "70"])

    async def test_answers_that_nobody_reads(self) -> None:
        """Of a client that asks and asks, and reads no answer, no more is taken than the kernel holds; once it reads,
        it has them all."""
        packet, most = b"LOGOFF\tx\n", 16 * 1024 * 1024

        def flood(sock: socket.socket) -> int:
            sock.settimeout(0.5)
            sent = 0
            with contextlib.suppress(TimeoutError):
                while sent < most:
                    sent += sock.send(packet * 1000)
            return sent

        def drain(sock: socket.socket, answers: int) -> None:
            sock.settimeout(10)
            while answers > 0:
                answers -= sock.recv(64 * 1024).count(b"\n")

        wire = await self.in_thread(self.connect, "tcp")
        sent = await self.in_thread(flood, wire.socket)
        self.assertLess(sent, most)
        await self.in_thread(drain, wire.socket, sent // len(packet))

    async def test_right_passwords_at_once(self) -> None:
        """A site whose devices all log in at the same moment is not mistaken for somebody who guesses."""
        devices = [f"cam-{number}" for number in range(3 * WRONG_PASSWORDS)]
        packets = [
            register(name, f"00:00:00:00:01:{number:02}", port=number + 1) for number, name in enumerate(devices)
        ]
        for packet in packets:
            await self.ask(packet, "udp")
        wires = [await self.in_thread(self.connect, "udp") for _ in devices]
        for number, (wire, name) in enumerate(zip(wires, devices, strict=True)):
            wire.socket.send(login(name, port=number + 1))
        codes = {code_of(await self.in_thread(wire.socket.recv, 1024)) for wire in wires}
        self.assertEqual(codes, {"70"})

    async def test_many_guesses_at_once(self) -> None:
        """Nor do guesses that are sent all at once get more tries than those that come one by one."""
        await self.ask(register("cam"))
        tried: list[str] = []
        verify = self.passwords.verify

        def counting(kept: str | None, password: str) -> Deferred[bool]:
            tried.append(password)
            return verify(kept, password)

        self.patch(self.passwords, "verify", counting)
        wires = [await self.in_thread(self.connect, "udp") for _ in range(12)]
        for number, wire in enumerate(wires):
            wire.socket.send(login("cam", password=f"guess {number}"))
        for wire in wires:
            self.assertEqual(code_of(await self.in_thread(wire.socket.recv, 1024)), "31")
        self.assertEqual(len(tried), WRONG_PASSWORDS)


class StrangerTests(RegistrarTestCase):
    """Connections by which nobody logs in."""

    limit: ClassVar[float] = 0.3

    async def test_it_ends(self) -> None:
        """A connection that only collects refusals is closed; one that logged in stays."""
        self.patch(registrar_ports, "LOGIN_WITHIN", self.limit)
        await self.ask(register("cam"))
        stranger, device = [await self.in_thread(self.connect, "tcp") for _ in range(2)]
        self.assertEqual(code_of(await self.in_thread(stranger.ask, logoff("dog") + b"\n")), "31")
        self.assertEqual(code_of(await self.in_thread(device.ask, login("cam") + b"\n")), "70")
        with self.assertRaises(ConnectionResetError):
            await self.in_thread(stranger.socket.recv, 1)
        self.assertEqual(code_of(await self.in_thread(device.ask, status("cam") + b"\n")), "40")
