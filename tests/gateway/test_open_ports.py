"""Ports of the server that lead to a device, and what OpenSSH is told: the ways of the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionRefusedError

from tests.daemons import ApiError
from tests.gateway.case import DEVICE, GatewayCase
from tests.gateway.test_sessions import Hearing
from tests.processes import Program, until

IOTCENTER = (sys.executable, "-c", "from iotcenter.cli import main; main()")


class CommandLineCase(GatewayCase):
    """Has the command line."""

    def iotcenter(self, *words: str) -> Program:
        """Start ``iotcenter`` with these words."""
        program = Program(self.reactor, [*IOTCENTER, "--data", str(self.server.directory), *words])
        self.addCleanup(program.end)
        return program

    async def run_iotcenter(self, *words: str) -> str:
        """What it prints, which has to go well."""
        program = self.iotcenter(*words)
        self.assertEqual(await program.outcome(), 0, program.said)
        return program.output


class OpenPortTests(CommandLineCase):
    """``iotcenter tunnel``."""

    async def connect(self, port: int) -> Hearing:
        """A connection to a port of loopback."""
        client: Hearing = await connectProtocol(TCP4ClientEndpoint(self.reactor, "127.0.0.1", port), Hearing())
        return client

    async def open(self, **wanted: Any) -> dict[str, Any]:
        """Open a port to the echo."""
        found: dict[str, Any] = await self.server.ask(f"devices/{DEVICE}/open-ports", {"port": self.echo, **wanted})
        return found

    async def test_open_and_close(self) -> None:
        """A port on loopback leads to the device, bytes are counted, and closing it ends what goes through."""
        said = await self.run_iotcenter("tunnel", "open", DEVICE, "--port", str(self.echo), "--for", "10m")
        self.assertIn(f"leads to port {self.echo} of {DEVICE} until", said)
        [port] = await self.server.ask("open-ports")
        self.assertEqual((port["host"], port["actor"], port["connections"]), ("127.0.0.1", "local", 0))
        client = await self.connect(port["listen_port"])
        client.tcp.write(b"hello")
        client.tcp.loseWriteConnection()
        self.assertEqual(await client.lost, b"you said: hello")
        await self.connect(port["listen_port"])
        other = await self.connect(port["listen_port"])
        other.tcp.write(b"more")

        async def counted() -> bool:
            [now] = await self.server.ask("open-ports")
            return (now["sent"], now["received"], now["connections"]) == (9, 15, 2)

        await until(self.reactor, counted, "the bytes were not counted")
        self.assertIn(f"port {port['listen_port']} of 127.0.0.1", await self.run_iotcenter("tunnel", "list"))
        await self.run_iotcenter("tunnel", "close", DEVICE)
        await other.lost
        with self.assertRaises(ConnectionRefusedError):
            await self.connect(port["listen_port"])

        async def noted() -> bool:
            return all([len(await self.events(kind)) == 1 for kind in ("port.opened", "port.closed")])

        await until(self.reactor, noted, "it was not noted")

    async def test_closes_by_itself(self) -> None:
        """When its time is over."""
        port = await self.open(lifetime=1)
        client = await self.connect(port["listen_port"])
        client.tcp.write(b"hello")
        await client.lost
        self.assertEqual(await self.server.ask("open-ports"), [])

    async def test_refused(self) -> None:
        """A port that the device does not allow, an address that is none, one that is taken."""
        for wanted, words in (
            ({"port": 80}, f"port 80 is not open on {DEVICE}"),
            ({"listen": "center.example:80"}, "a port opens on an IP address"),
            ({"listen": f"127.0.0.1:{self.server.http}"}, "Address already in use"),
        ):
            with self.subTest(wanted), self.assertRaises(ApiError) as caught:
                await self.open(**wanted)
            self.assertIn(words, str(caught.exception))
        program = self.iotcenter("tunnel", "close", DEVICE)
        self.assertEqual(await program.outcome(), 1)
        self.assertIn("No such port is open", program.errors)

    async def test_device_goes(self) -> None:
        """Who connects while the device is away is let go at once."""
        port = await self.open()
        await self.agent.kill()

        async def away() -> bool:
            return bool((await self.server.ask(f"devices/{DEVICE}"))["state"] == "offline")

        await until(self.reactor, away, "it is still there")
        self.assertEqual(await (await self.connect(port["listen_port"])).lost, b"")
        await self.server.ask(f"devices/{DEVICE}", method="DELETE")
        self.assertEqual(await self.server.ask("open-ports"), [])


class ConfigTests(CommandLineCase):
    """``iotcenter ssh-config`` and ``iotcenter ssh``."""

    def add_keys(self, config: Path) -> None:
        """Let both hops use them."""
        keys = f"Host *\n  BatchMode yes\n  IdentitiesOnly yes\n  IdentityFile {self.home.key}\n"
        config.write_text(f"{config.read_text()}{keys}  IdentityFile {self.sshd.key}\n  IdentityAgent none\n")

    async def test_first_connection_asks_nothing(self) -> None:
        """With the files that it writes, ssh knows both servers and asks nothing; a device with another key than it
        reported is noticed."""
        folder = self.folder / "written"
        await self.run_iotcenter("ssh-config", "--user", "ann", "--host", "127.0.0.1", "--folder", str(folder))
        self.add_keys(folder / "config")
        words = (
            "ssh",
            "-F",
            str(folder / "config"),
            "-p",
            str(self.sshd.port),
            f"{self.sshd.user}@{DEVICE}",
            "echo in",
        )
        program = Program(self.reactor, words)
        self.addCleanup(program.end)
        self.assertEqual(await program.outcome(), 0, program.said)
        self.assertEqual((program.output, program.errors), ("in\n", ""))
        known = (folder / "known_hosts").read_text()
        self.assertIn(f"{DEVICE} {self.sshd.host_key}\n", known)
        (folder / "known_hosts").write_text(
            known.replace(self.sshd.host_key, known.split()[1] + " " + known.split()[2])
        )
        program = Program(self.reactor, words)
        self.addCleanup(program.end)
        self.assertEqual(await program.outcome(), 255)
        self.assertIn("REMOTE HOST IDENTIFICATION HAS CHANGED", program.errors)

    async def test_ssh(self) -> None:
        """``iotcenter ssh`` runs ssh with all that."""
        program = self.iotcenter(
            *(
                "ssh",
                "--user",
                "ann",
                "--host",
                "127.0.0.1",
                "-o",
                "BatchMode=yes",
                "-o",
                f"IdentityFile={self.sshd.key}",
            ),
            *(f"{self.sshd.user}@{DEVICE}", "echo", "in"),
        )
        await program.outcome()
        self.assertIn("Permission denied (publickey)", program.said)  # by the gateway: the jump has no key here
        self.assertNotIn("Host key verification failed", program.said)
