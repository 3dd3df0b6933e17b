"""The registrar through real sockets: over TLS, and in clear text over TCP and UDP."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.center.subscribers import Event, PresenceEvent
from iotcenter.config import ConfigError, load_config
from iotcenter.identity.registrations import names_for
from iotcenter.model import PresenceState, is_device_name
from iotcenter.transports.registrar import RegistrarSettings
from iotcenter.transports.registrar_service import RegistrarService
from iotcenter.wire.registrar.codec import digest_of
from iotcenter.wire.registrar.packets import HEARTBEAT, MISSED_HEARTBEATS
from tests.processes import until
from tests.transports.registrar_case import RegistrarTestCase, Wire, code_of, fields

WAYS = ("tls", "tcp", "udp")
TIME = b"2026-11-22:14:02:09"


def register(
    device: str, mac: str = "00:00:00:00:00:01", ip: str = "10.0.0.1", port: int = 5000, password: str = "pw one"
) -> bytes:
    """A REGISTER packet."""
    return f"REGISTER\t{device}\t{password}\t{mac}\t{ip}\t{port}".encode()


def deregister(packet: bytes) -> bytes:
    """The DEREGISTER packet for what a REGISTER packet registered."""
    return b"DE" + packet


def login(device: str, ip: str = "10.0.0.1", port: int = 5000, password: str = "pw one") -> bytes:
    """A LOGIN packet."""
    return f"LOGIN\t{device}\t{password}\t{ip}\t{port}".encode()


def logoff(device: str) -> bytes:
    """A LOGOFF packet."""
    return f"LOGOFF\t{device}".encode()


def status(device: str) -> bytes:
    """A STATUS packet."""
    return f"STATUS\t01\t{device}\t".encode() + TIME + b"\t9\theartbeat"


def data(device: str, message: str) -> bytes:
    """A DATA packet."""
    return f"DATA\t01\t{device}\t{TIME.decode()}\t{len(message)}\t{message}".encode()


def query(device: str, target: str) -> bytes:
    """A QUERY packet."""
    return f"QUERY\t01\t{device}\t{TIME.decode()}\t{target}".encode()


class CodeTests(RegistrarTestCase):
    """Each code of the protocol's table, by each way."""

    async def test_register(self) -> None:
        """00, 01, 02, 12, 13 and 30 for REGISTER."""
        for number, way in enumerate(WAYS, 1):
            device, mac, ip = f"cam-{number}", f"00:00:00:00:00:0{number}", f"10.0.{number}.1"
            first = register(device, mac, ip)
            self.assertEqual(await self.code(first, way), "00")
            self.assertEqual(await self.code(first, way), "01")
            self.assertEqual(await self.code(register(device, mac, f"10.0.{number}.2"), way), "02")
            moved = f"10.0.{number}.2"
            self.assertEqual(await self.code(register(f"o-{number}", "00:00:00:00:01:00", moved), way), "12")
            self.assertEqual(await self.code(register(f"o-{number}", mac, "10.9.9.9"), way), "13")
            self.assertEqual(await self.code(register(device, mac, moved, password="pw two"), way), "30")
            self.assertEqual(await self.code(register(device, "00:00:00:00:01:00", moved), way), "30")

    async def test_deregister(self) -> None:
        """20, 21 and 30 for DEREGISTER; and who is gone may register again."""
        packet = register("cam")
        for way in WAYS:
            self.assertEqual(await self.code(deregister(packet), way), "21")
            self.assertEqual(await self.code(packet, way), "00")
            self.assertEqual(await self.code(deregister(register("cam", mac="00:00:00:00:00:02")), way), "30")
            self.assertEqual(await self.code(deregister(register("cam", ip="10.0.0.9")), way), "30")
            self.assertEqual(await self.code(deregister(register("cam", password="no")), way), "30")
            self.assertEqual(await self.code(deregister(packet), way), "20")

    async def test_while_logged_in(self) -> None:
        """70, 31, 40, 50 and 80 for a device from its LOGIN to its LOGOFF."""
        await self.ask(register("cam"))
        self.assertEqual(await self.code(login("dog")), "31")
        for way in WAYS:
            for packet in (status("cam"), data("cam", "t=1"), query("cam", "cam"), logoff("cam")):
                self.assertEqual(await self.code(packet, way), "31")
            self.assertEqual(await self.code(login("cam", password="pw two"), way), "31")
            self.assertEqual(await self.code(login("cam"), way), "70")
            self.assertEqual(await self.code(login("cam"), way), "31")
            self.assertEqual(await self.code(status("cam"), way), "40")
            self.assertEqual(await self.code(data("cam", "t=1"), way), "50")
            self.assertEqual(await self.code(data("cam", "the door is open"), way), "50")
            self.assertEqual(await self.code(logoff("cam"), way), "80")
            self.assertEqual(await self.code(logoff("cam"), way), "31")

    async def test_query(self) -> None:
        """01 with the address that LOGIN gave, 11 for nobody, 12 for who is away."""
        for device, mac, ip in (("a", "00:00:00:00:00:01", "10.0.0.1"), ("b", "00:00:00:00:00:02", "10.0.0.2")):
            await self.ask(register(device, mac, ip))
        for way in WAYS:
            await self.ask(login("a"), way)
            self.assertEqual(fields(await self.ask(query("a", "nobody"), way))[:3], ["DATA", "11", "a"])
            self.assertEqual(fields(await self.ask(query("a", "b"), way))[1:6:4], ["12", "b"])
            await self.ask(login("b", "10.0.0.3", 6000))
            found = fields(await self.ask(query("a", "b"), way))
            self.assertEqual((found[1], found[4:]), ("01", ["13", "10.0.0.3", "6000"]))
            await self.ask(logoff("b"))
            await self.ask(login("b", "10.0.0.2"))
            await self.ask(logoff("b"))
            await self.ask(logoff("a"), way)

    async def test_answer(self) -> None:
        """An ACK names the device, a time, and the SHA-256 of what it answers; it has a newline where that had one."""
        packet = register("cam")
        answer = await self.ask(packet)
        kind, _, device, time, digest = fields(answer)
        self.assertEqual((kind, device, digest), ("ACK", "cam", digest_of(packet)))
        self.assertRegex(time, r"^\d{4}-\d\d-\d\d:\d\d:\d\d:\d\d$")
        self.assertFalse(answer.endswith(b"\n"))
        self.assertTrue((await self.ask(packet + b"\n")).endswith(b"\n"))


class ConnectionTests(RegistrarTestCase):
    """Whose packets are whose."""

    async def test_several_packets_on_a_connection(self) -> None:
        """Packets with newlines are answered one after another, in their order."""

        def talk(wire: Wire) -> list[str]:
            wire.socket.sendall(b"\n".join((register("cam"), login("cam"), status("cam"), data("cam", "t=1"), b"")))
            answers = b""
            while answers.count(b"\n") < 4:
                answers += wire.socket.recv(1024)
            return [code_of(answer) for answer in answers.splitlines()]

        for way in ("tls", "tcp"):
            wire = await self.in_thread(self.connect, way)
            self.assertEqual(await self.in_thread(talk, wire), ["00" if way == "tls" else "01", "70", "40", "50"])
            gone: Deferred[Event] = Deferred()
            end = self.center.subscribers.subscribe(gone.callback)
            wire.socket.close()
            event = await gone
            end()
            assert isinstance(event, PresenceEvent)
            self.assertEqual(event.state, PresenceState.OFFLINE)

    async def test_from_elsewhere(self) -> None:
        """A password-less packet from another address than the one that logged in is refused."""
        await self.ask(register("cam"))
        await self.ask(login("cam"), "udp")

        def ask_from(address: str) -> bytes:
            with socket.socket(type=socket.SOCK_DGRAM) as sock:
                sock.settimeout(10)
                sock.bind((address, 0))
                sock.sendto(logoff("cam"), ("127.0.0.1", self.service.port("udp")))
                return sock.recv(1024)

        self.assertEqual(code_of(await self.in_thread(ask_from, "127.0.0.2")), "31")
        self.assertEqual(code_of(await self.in_thread(ask_from, "127.0.0.1")), "80")

    async def test_what_is_no_packet(self) -> None:
        """It ends a connection, gets no answer over UDP, and leaves a line that names its sender and not its words."""
        for way in ("tls", "tcp"):
            self.assertEqual(await self.ask(b"REGISTER\tcam\tsecret\tx", way), b"")
        for packet in (b"REGISTER\tcam\tsecret\tx", b"\0" * 1400, b"ACK\t50\tcam\t" + TIME + b"\t" + b"0" * 64):
            wire = await self.in_thread(self.connect, "udp")
            wire.socket.send(packet)
            # What comes next on the same socket is answered after it, and by the one answer that there is.
            self.assertEqual(code_of(await self.in_thread(wire.ask, logoff("cam"))), "31")
        said = "\n".join(self.complaints)
        self.assertEqual(said.count("127.0.0.1"), 4 + 3)
        self.assertNotIn("secret", said)

    async def test_wrong_passwords(self) -> None:
        """After five from one address further ones are refused unseen, the right one too; other addresses are free."""
        await self.ask(register("cam"))
        for _ in range(5):
            self.assertEqual(await self.code(login("cam", password="guess")), "31")
        self.assertEqual(await self.code(login("cam")), "31")
        self.assertIn("too many tries", self.complaints[-1])

        def from_elsewhere() -> bytes:
            with socket.socket() as sock:
                sock.settimeout(10)
                sock.bind(("127.0.0.2", 0))
                sock.connect(("127.0.0.1", self.service.port("tcp")))
                sock.sendall(login("cam"))
                return sock.recv(1024)

        self.assertEqual(code_of(await self.in_thread(from_elsewhere)), "70")

    async def test_strange_names(self) -> None:
        """Quotes, wildcards and blanks in names and passwords are letters like others."""
        names = ["a'b", "%", "_", 'x" OR "1"="1', "ä b", "A'B"]
        for number, name in enumerate(names, 1):
            mac, ip = f"00:00:00:00:00:{number:02}", f"10.0.0.{number}"
            self.assertEqual(await self.code(register(name, mac, ip, password=f"{name}%'")), "00")
        self.assertEqual(await self.code(login("__", password="_%'")), "31")
        for number, name in enumerate(names, 1):
            self.assertEqual(await self.code(login(name, f"10.0.0.{number}", password=f"{name}%'")), "70")
        self.assertEqual(len({device.name for device in self.center.devices.all()}), len(names))

    async def test_no_password_in_any_line(self) -> None:
        """Neither what was handled nor what was refused is logged with its password."""
        for packet in (register("cam"), login("cam"), login("cam", password="pw two"), deregister(register("cam"))):
            await self.ask(packet)
        self.assertEqual(len(self.activities), 4)
        self.assertNotIn("pw", "\n".join(self.activities + self.complaints))


class CenterTests(RegistrarTestCase):
    """A registered device is a device like any other."""

    async def test_readings(self) -> None:
        """Values chart, other text stands in the log, and the device is online with its address."""
        await self.ask(register("Cam 1"))
        await self.ask(login("Cam 1", "10.0.0.1", 5001))
        await self.ask(data("Cam 1", '{"values": {"t1": 21.5}}'))
        await self.ask(data("Cam 1", "t1=22 t2=3"))
        await self.ask(data("Cam 1", "hello there"))
        await self.store.readings.settled()
        device = self.center.devices.get("cam-1")
        self.assertEqual((device.state, device.transport), (PresenceState.ONLINE, "registrar"))
        self.assertEqual(device.address, "10.0.0.1:5001")
        await until(self.reactor, lambda: self.center.devices.get("cam-1").account.received == 3, "not merged")
        device = self.center.devices.get("cam-1")
        self.assertEqual({series.name: series.value for series in device.series}, {"t1": 22.0, "t2": 3.0})
        await self.ask(logoff("Cam 1"))
        self.assertEqual(self.center.devices.get("cam-1").state, PresenceState.OFFLINE)

    async def test_revoked(self) -> None:
        """A device that its owner bars is logged off at once, and cannot log in again."""
        await self.ask(register("cam"))
        await self.ask(login("cam"))
        await self.center.devices.revoke("cam", "ann")
        self.assertEqual(await self.code(status("cam")), "31")
        self.assertEqual(await self.code(login("cam")), "31")

    async def test_removed(self) -> None:
        """What its owner removes is not registered any more."""
        await self.ask(register("cam"))
        await self.center.devices.remove("cam", "ann")
        self.assertEqual(await self.code(deregister(register("cam"))), "21")


class ClosedTests(RegistrarTestCase):
    """Where registration is not open to all."""

    open: ClassVar[bool] = False

    async def test_only_who_was_added(self) -> None:
        """A device that the owner added may register, under its name; nobody else may."""
        self.assertEqual(await self.code(register("cam")), "30")
        await self.registrations.add("cam", "ann")
        self.assertEqual(await self.code(deregister(register("cam"))), "21")
        self.assertEqual(await self.code(register("cam")), "00")
        self.assertEqual(await self.code(login("cam")), "70")
        self.assertEqual(await self.code(register("dog")), "30")


class HurriedReactor:
    """The reactor, but for its timers, which are a test's."""

    def __init__(self, reactor: Any, clock: Clock) -> None:
        self._reactor = reactor
        self.callLater = clock.callLater
        self.seconds = clock.seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


class HeartbeatTests(RegistrarTestCase):
    """Three heartbeats that do not come."""

    def new_service(self) -> RegistrarService:
        """A service whose time a test advances."""
        self.clock = Clock()
        real, self.reactor = self.reactor, HurriedReactor(self.reactor, self.clock)
        service, self.reactor = super().new_service(), real
        return service

    async def test_missed(self) -> None:
        """A device whose heartbeats come stays online; three that are missed show it offline, and then it may log in
        anew."""
        await self.ask(register("cam"), "udp")
        await self.ask(login("cam"), "udp")
        for _ in range(4):
            self.clock.advance(2.9 * HEARTBEAT)
            self.assertEqual(await self.code(status("cam"), "udp"), "40")
        self.assertEqual(self.center.devices.get("cam").state, PresenceState.ONLINE)
        self.clock.advance(MISSED_HEARTBEATS * HEARTBEAT)
        self.assertEqual(self.center.devices.get("cam").state, PresenceState.OFFLINE)
        self.assertEqual(await self.code(status("cam"), "udp"), "31")
        self.assertEqual(await self.code(login("cam"), "udp"), "70")


class SettingsTests(SynchronousTestCase):
    """What needs no server."""

    def test_names(self) -> None:
        """Any device-id leads to names that devices may have, each another."""
        for device_id in ("cam-1", "Küche 1", "--", "%", "x" * 64, "a.b", "日本"):
            names = names_for(device_id)
            found = [next(names) for _ in range(3)]
            self.assertTrue(all(map(is_device_name, found)), found)
            self.assertEqual(len(set(found)), 3)

    def test_off(self) -> None:
        """It is off until any of its ports is set."""
        self.assertFalse(RegistrarSettings().on)
        self.assertTrue(RegistrarSettings(plain_udp="9997").on)
        self.assertTrue(RegistrarSettings("9997").on)

    def test_wrong_settings(self) -> None:
        """A port that is none stops the server at its start, with the key's name."""
        kinds = {"registrar": RegistrarSettings}
        file = Path(self.mktemp())
        for key in ("plain_tcp", "plain_udp", "listen"):
            file.write_text(f"[registrar]\n{key} = 'nowhere'\n")
            with self.assertRaises(ConfigError) as caught:
                load_config(file, {}, kinds)
            self.assertIn(f"registrar.{key}", str(caught.exception))
