"""Devices with a name and a password, their owner's commands, and the server: all of them real programs."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import sys
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from signal import SIGINT, SIGTERM
from tempfile import mkdtemp
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.daemons import ServerProcess
from tests.processes import Program, free_port, until

CLIENT = (sys.executable, "-c", "import sys; from iotdevice.cli import main; sys.exit(main())", "registrar")
OWNER = (sys.executable, "-c", "from iotcenter.cli import main; main()")
PASSWORDS = {"cam-1": "correct horse %_'\"", "cam-2": "battery staple"}
MACS = {"cam-1": "00:11:22:33:44:01", "cam-2": "00:11:22:33:44:02"}


class ProgramTestCase(TestCase):
    """Has a server with its registrar on, and starts clients of it."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Start the server."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-registrar-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.data = self.folder / "data"
        self.tls, self.tcp, self.udp = free_port(), free_port(), free_port()
        config = self.folder / "iotcenter.toml"
        config.write_text(f'[registrar]\nplain_tcp = "{self.tcp}"\nplain_udp = "{self.udp}"\n')
        flags = (f"--registrar=127.0.0.1:{self.tls}", f"--config={config}")
        self.server = ServerProcess(reactor, self.data, *flags)
        self.addCleanup(self.server.kill)
        await self.server.start()
        self.ports = {name: free_port() for name in MACS}

    def start(self, words: Sequence[str], terminal: bool = False) -> Program:
        """Start a program, which does not outlive the test."""
        program = Program(self.reactor, list(words), terminal=terminal)
        self.addCleanup(program.end)
        return program

    async def owner(self, *words: str) -> Any:
        """What ``iotcenter`` answers."""
        program = self.start((*OWNER, f"--data={self.data}", *words, "--json"))
        await program.outcome()
        return json.loads(program.output)

    def words(self, command: str, device: str, *more: str) -> tuple[str, ...]:
        """The words of a client's command, over TLS."""
        place = (device, "127.0.0.1", str(self.tls), str(self.ports[device]))
        return (*CLIENT, command, *place, *more, f"--root={self.data / 'authority' / 'root.pem'}")

    async def client(self, command: str, device: str, *more: str, secret: bool = False) -> tuple[int, dict[str, Any]]:
        """The exit status and the answer of one command, to which the password is given where it is ``secret``."""
        more = (*more, "--password-stdin") if secret else more
        program = self.start(self.words(command, device, *more, "--json"))
        if secret:
            program.write(f"{PASSWORDS[device]}\n".encode())
        status = await program.outcome()
        return status, json.loads(program.output or "{}")

    async def registered(self, device: str) -> None:
        """Have the owner add a device, and the device register."""
        await self.owner("device", "add", device, "--registrar")
        status, answer = await self.client("register", device, f"--mac={MACS[device]}", secret=True)
        self.assertEqual((status, answer["code"]), (0, "00"))


class TwoDevicesTests(ProgramTestCase):
    """Two devices and their center."""

    async def test_together(self) -> None:
        """They register, log in, send readings, find each other, and exchange DATA and ACK directly."""
        added = await self.owner("device", "add", "cam-1", "--registrar")
        self.assertIn(f"--fingerprint {(await self.owner('status'))['authority']}", added["line"])
        self.assertEqual((await self.client("register", "cam-1", f"--mac={MACS['cam-1']}", secret=True))[0], 0)
        await self.registered("cam-2")
        self.assertEqual((await self.client("send", "cam-1", "t=1"))[1]["code"], "31")
        self.assertEqual((await self.client("login", "cam-1", secret=True))[1]["code"], "70")
        other = self.start(self.words("listen", "cam-2", "--password-stdin"))
        other.write(f"{PASSWORDS['cam-2']}\n".encode())
        await other.until("70 logged in")
        for value in (21.5, 22.5):
            self.assertEqual((await self.client("send", "cam-1", f"t={value}"))[1]["code"], "50")
        self.assertEqual((await self.client("status", "cam-1"))[1]["code"], "40")
        status, found = await self.client("query-server", "cam-1", "cam-2")
        self.assertEqual((status, found["code"], found["message"]), (0, "01", f"127.0.0.1\t{self.ports['cam-2']}"))
        status, told = await self.client("query-client", "cam-1", "cam-2")
        self.assertEqual((status, told["message"]), (0, found["message"]))
        self.assertEqual((await self.client("send", "cam-1", "--to=cam-2", "hello there"))[1]["code"], "50")
        for line in ("cam-1 asks where cam-2 is", "cam-1 acknowledges: 50", "cam-1 says: hello there"):
            await other.until(line)
        await self.check_charts()
        other.signal(SIGTERM)
        await other.until("80 logged off")
        self.assertEqual(await other.outcome(), 0)
        self.assertEqual((await self.server.devices())["cam-2"]["state"], "offline")
        await self.check_logs()

    async def check_charts(self) -> None:
        """The readings are a series of a device that is online, in the API and on its page."""
        device = (await self.server.devices())["cam-1"]
        self.assertEqual((device["state"], device["transport"]), ("online", "registrar"))
        self.assertEqual(device["address"], f"127.0.0.1:{self.ports['cam-1']}")
        readings = await self.server.ask("readings?device=cam-1&series=t&from=now-1h&step=0")
        self.assertEqual(readings["v"], [21.5, 22.5])
        token = (await self.owner("token", "create", "reader"))["token"]

        async def shown() -> bool:
            page = await deferToThread(self.page, "/devices/cam-1", token)
            return "22.5" in page and device["address"] in page

        await until(self.reactor, shown, "the page does not show the reading, or not the address")

    def page(self, path: str, token: str) -> str:
        """A page, as a program with an API token gets it."""
        url = f"http://127.0.0.1:{self.server.http}{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read().decode())

    async def check_logs(self) -> None:
        """Each packet left its line, and no password is in any of them."""
        logs = {file.name: file.read_text() for file in (self.data / "log").iterdir()}
        for line in ("REGISTER cam-1 00", "LOGIN cam-2 70", "DATA cam-1 50", "QUERY cam-1 01", "LOGOFF cam-2 80"):
            self.assertIn(line, logs["Activity.log"])
        self.assertIn("DATA of cam-1, 31: it is not logged in", logs["error.log"])
        self.assertIn("clear text over udp is on", logs["error.log"])
        for password in PASSWORDS.values():
            self.assertNotIn(password, "".join(logs.values()) + self.server.program.said)

    async def test_hostile_packets(self) -> None:
        """What is no packet leaves one line that names its sender, and nothing of what it holds."""
        packets = (
            b"REGISTER\tcam-1\ts3cret\t" + b"x" * 1100,
            b"REGISTER\tcam\ts3cret\tno mac\t10.0.0.1\t1",
            b"LOGIN\tcam-1\ts3cret\t10.0.0.1\tport",
            b"STEAL\ts3cret",
            b"LOGIN\tcam-1\ts3cret\xff\t10.0.0.1\t1",
        )
        with closing(socket.socket(type=socket.SOCK_DGRAM)) as sock:
            for packet in packets:
                sock.sendto(packet, ("127.0.0.1", self.udp))
            sender = f"127.0.0.1:{sock.getsockname()[1]} over udp"
            errors = self.data / "log" / "error.log"
            await until(self.reactor, lambda: errors.read_text().count(sender) == len(packets), errors.read_text)
        self.assertNotIn("s3cret", "".join(file.read_text() for file in (self.data / "log").iterdir()))
        self.assertEqual(await self.server.devices(), {})

    async def test_another_server(self) -> None:
        """A server that another authority vouches for is told nothing, and the user what is wrong."""
        await self.registered("cam-1")
        place = ("cam-1", "127.0.0.1", str(self.tls), "5000", f"--fingerprint={'00' * 32}", "--password-stdin")
        program = self.start((*CLIENT, "login", *place))
        program.write(f"{PASSWORDS['cam-1']}\n".encode())
        self.assertEqual(await program.outcome(), 1)
        self.assertIn("the server cannot be trusted: another authority", program.errors)
        self.assertNotIn("LOGIN", (self.data / "log" / "Activity.log").read_text())

    async def test_clear_text(self) -> None:
        """The same commands work over TCP and UDP in clear text, where the user says so."""
        await self.registered("cam-1")
        for way, port in (("tcp", self.tcp), ("udp", self.udp)):
            for command, code in (("login", "70"), ("status", "40"), ("logoff", "80")):
                place = ("cam-1", "127.0.0.1", str(port), str(self.ports["cam-1"]), f"--plain={way}")
                program = self.start((*CLIENT, command, *place, *(["--password-stdin"] if code == "70" else [])))
                program.write(f"{PASSWORDS['cam-1']}\n".encode())
                self.assertEqual(await program.outcome(), 0, program.said)
                self.assertTrue(program.output.startswith(code), program.said)

    async def test_status_lists_each_port(self) -> None:
        """``iotcenter status`` names all three ways."""
        transports = (await self.owner("status"))["transports"]
        ports = {name: port for name, port in transports.items() if name.startswith("registrar")}
        self.assertEqual(ports, {"registrar": self.tls, "registrar-tcp": self.tcp, "registrar-udp": self.udp})


class MenuTests(ProgramTestCase):
    """The menu, in a terminal."""

    async def test_menu(self) -> None:
        """Every item is asked for and answered in words, and no password is shown."""
        await self.owner("device", "add", "cam-1", "--registrar")
        await self.registered("cam-2")
        other = self.start(self.words("listen", "cam-2", "--password-stdin"))
        other.write(f"{PASSWORDS['cam-2']}\n".encode())
        await other.until("70 logged in")
        menu = self.start(self.words("menu", "cam-1"), terminal=True)
        for item in ("(1) Register", "(2) De-Register", "(3) Login", "(4) Logoff"):
            await menu.until(item)
        await self.answer(menu, "1", MACS["cam-1"], "", "", "", PASSWORDS["cam-1"], "00 registered")
        await self.answer(menu, "3", "", "", "", PASSWORDS["cam-1"], "70 logged in")
        await self.answer(menu, "5", "cam-2", f"01 found: 127.0.0.1:{self.ports['cam-2']}")
        await self.answer(menu, "6", "cam-2", f"cam-2 says: 127.0.0.1\\t{self.ports['cam-2']}")
        await other.until("cam-1 acknowledges: 50")
        await self.answer(menu, "6", "nobody", "11 no such device: nobody")
        await self.answer(menu, "9", "Choose one of 1 to 7.")
        await self.answer(menu, "4", "", "80 logged off")
        await self.answer(menu, "2", MACS["cam-1"], "", "", "", PASSWORDS["cam-1"], "20 removed")
        menu.type("7")
        self.assertEqual(await menu.outcome(), 0, menu.said)
        self.assertNotIn(PASSWORDS["cam-1"], menu.said)

    async def answer(self, menu: Program, *lines: str) -> None:
        """Choose an item, answer its questions one by one, and wait for the last of ``lines`` to be said."""
        questions = {"1": 6, "2": 6, "3": 5, "4": 2, "5": 2, "6": 2, "9": 1}
        *typed, said = lines
        self.assertEqual(len(typed), questions[lines[0]])
        for line in typed:
            await self.asked(menu)
            menu.output = ""
            menu.type(line)
        await menu.until(said)

    async def asked(self, menu: Program) -> None:
        """Wait until a question stands at the end of what the menu printed."""
        await until(self.reactor, lambda: menu.output.endswith(": "), lambda: menu.output)

    async def test_interrupted(self) -> None:
        """Ctrl+C logs the device off, and gives the terminal back."""
        await self.registered("cam-1")
        menu = self.start(self.words("menu", "cam-1"), terminal=True)
        await self.answer(menu, "3", "", "", "", PASSWORDS["cam-1"], "70 logged in")
        menu.signal(SIGINT)
        await menu.until("80 logged off")
        await menu.outcome()
        self.assertEqual((await self.server.devices())["cam-1"]["state"], "offline")


class ImportTests(ProgramTestCase):
    """The database of the registrar's original server."""

    ROWS = (
        ("cam-1", "10.0.0.1", "00:11:22:33:44:01", "correct horse", 5001, 1),
        ("O'Brien %", "10.0.0.2", "001122334402", "x", "5002", 0),
        ("cam-3", "10.0.0.3", "no mac", "secret", 5003, 0),
        ("cam-4", "10.0.0.1", "00:11:22:33:44:04", "secret", 5001, 0),
        ("cam-5", "10.0.0.5", "00:11:22:33:44:05", None, 5005, 0),
        ("cam-6", "10.0.0.6", "00:11:22:33:44:06", "secret", "many", 0),
    )

    async def test_import(self) -> None:
        """Its devices may log in with their passwords, of which hashes are kept; what cannot be used is named with the
        reason; and twice is as good as once."""
        file = self.folder / "iot_server.db"
        with closing(sqlite3.connect(file)) as old, old:
            old.execute("CREATE TABLE registrar (username, ip, mac, password, port, active)")
            old.executemany("INSERT INTO registrar VALUES (?, ?, ?, ?, ?, ?)", self.ROWS)
        first = await self.owner("import", str(file))
        self.assertEqual((first["added"], first["known"], first["unusable"]), (2, 0, 4))
        reasons = {row["device_id"]: row["reason"] for row in first["reasons"]}
        self.assertIn("MAC", reasons["cam-3"])
        self.assertIn("belong to another device", reasons["cam-4"])
        self.assertIn("password is missing", reasons["cam-5"])
        self.assertIn("port", reasons["cam-6"])
        again = await self.owner("import", str(file))
        self.assertEqual((again["added"], again["known"], again["unusable"]), (0, 2, 4))
        self.assertEqual(set(await self.server.devices()), {"cam-1", "o-brien"})
        status, answer = await self.client("login", "cam-1", secret=False)
        self.assertEqual((status, answer), (1, {}))
        self.patch(self, "ports", {"cam-1": 5001})
        self.assertNotIn(b"correct horse", b"".join(path.read_bytes() for path in self.data.glob("iotcenter.db*")))
        program = self.start(self.words("login", "cam-1", "--password-stdin", "--ip=10.0.0.1"))
        program.write(b"correct horse\n")
        self.assertEqual(await program.outcome(), 0, program.said)
